Feature: Mail goes out over SMTP
  An email activity that somebody sends waits as Pending Send until its sender's mailbox is processed. It is claimed, submitted and reported, each step
  durably, so that it is sent once. Where nobody can know whether the server took it, it is parked as uncertain and a person decides; it is
  never sent again blindly.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: A sent email reaches its recipient once
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    Then the email "Your order" is sent
    And "carl@birch.test" received 1 mail with the subject "Your order"

  Scenario: The email waits while the mailbox is not enabled
    Given the user "Ben" with the address "ben@alder.test", approved but not tested
    When "Ben" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    Then the email "Your order" is pending send
    And "carl@birch.test" received 0 mails with the subject "Your order"

  Scenario: The server refuses for now, and takes it later
    Given the server answers the first "RCPT" with "451 4.3.0 come back later"
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    Then the email "Your order" is pending send
    When the engine runs again after 15 minutes
    Then the email "Your order" is sent
    And "carl@birch.test" received 1 mail with the subject "Your order"

  Scenario: The server refuses for good
    Given the server answers every "RCPT" with "550 5.1.1 no such user"
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    Then the email "Your order" has failed
    And "carl@birch.test" received 0 mails with the subject "Your order"

  Scenario: One of two recipients is refused
    Given the server answers the second "RCPT" with "550 5.1.1 no such user"
    And the contact "Dora Cedar" with the address "dora@cedar.test"
    When "Ada" sends an email to "Carl Birch, Dora Cedar" with the subject "Your order"
    And the engine runs
    Then the email "Your order" is sent
    And "carl@birch.test" received 1 mail with the subject "Your order"
    And "dora@cedar.test" received 0 mails with the subject "Your order"

  Scenario: The answer to the final dot is lost
    Given the server takes the first message but its answer is lost
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    Then the email "Your order" is uncertain
    When the engine runs again after 15 minutes
    Then the email "Your order" is uncertain
    And "carl@birch.test" received 1 mail with the subject "Your order"

  Scenario: A connection lost before the final dot is simply tried again
    Given the server drops the connection at the first "DATA"
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    And the engine runs again after 15 minutes
    Then the email "Your order" is sent
    And "carl@birch.test" received 1 mail with the subject "Your order"

  Scenario: Blind copies are in the envelope and in no header
    When "Ada" sends an email to "Carl Birch" with a blind copy to "boss@else.test" and the subject "Your order"
    And the engine runs
    Then "boss@else.test" received 1 mail with the subject "Your order"
    And no header of the mail "Your order" names "boss@else.test"
