Feature: The answer was lost
  Between the end of the text and the server's answer nobody can know whether the server has the message. Such an email is uncertain: it stays Sending, an alert
  says that somebody has to decide, and it is never sent again by itself. A person who has asked the recipient, or looked at the server, says what became of
  it: it is Sent, or it waits again and leaves as the same message.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: It is parked, and told
    Given the SMTP server takes the first message but its answer is lost
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    And the engine runs 3 more times, 60 minutes apart
    Then the email "Order" is uncertain
    And the email "Order" has the state 1 and the status 7
    And "carl@birch.test" received 1 mail with the subject "Order"
    And "Ada" is told of 1 "EmailUncertain"

  Scenario: It was sent
    Given the SMTP server takes the first message but its answer is lost
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    And a person says that the email "Order" was sent
    And the engine runs again after 15 minutes
    Then the email "Order" is sent
    And "carl@birch.test" received 1 mail with the subject "Order"

  Scenario: It was not sent
    Given the SMTP server hangs up at the end of the first message, without taking it
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is uncertain
    When a person says that the email "Order" was not sent
    And the engine runs again after 15 minutes
    Then the email "Order" is sent
    And "carl@birch.test" received 1 mail with the subject "Order"
    And the Message-ID of the mail "Order" to "carl@birch.test" is the one of its email

  Scenario: Those behind it go on
    Given the SMTP server takes the first message but its answer is lost
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And "Ada" sends an email to "Carl Birch" with the subject "Offer"
    And the engine runs
    Then the email "Order" is uncertain
    And the email "Offer" is sent

  Scenario: Nobody decides twice
    Given the SMTP server takes the first message but its answer is lost
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    And a person says that the email "Order" was sent
    And a person says that the email "Order" was not sent
    Then it is refused because the email is not uncertain

  Scenario: It is neither canceled nor deleted meanwhile
    Given the SMTP server takes the first message but its answer is lost
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    And the email "Order" is canceled by "Ada"
    Then that is refused
    When the email "Order" is deleted by "Ada"
    Then it is refused because the email is uncertain
