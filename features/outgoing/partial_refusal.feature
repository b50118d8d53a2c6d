Feature: Some recipients are refused
  A server judges each recipient by itself. An email that it takes for some is sent; who was refused for good is named in an alert. Those who were refused for
  now are tried again, alone and as the same message, until the attempts are used up: nobody who has it gets it twice. Once somebody has it the email
  never fails, because a failed email may be sent again.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"
    And the contact "Dora Cedar" with the address "dora@cedar.test"

  Scenario: Refused for good among others
    Given the SMTP server refuses "dora@cedar.test" with "550 5.1.1 no such user"
    When "Ada" sends an email to "Carl Birch, Dora Cedar" with the subject "Order"
    And the engine runs
    Then the email "Order" is sent
    And "carl@birch.test" received 1 mail with the subject "Order"
    And "Ada" is told of 1 "EmailNotSent"

  Scenario: Refused for now among others
    Given the SMTP server refuses "dora@cedar.test" with "451 4.3.0 later" once
    When "Ada" sends an email to "Carl Birch, Dora Cedar" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    And "carl@birch.test" received 1 mail with the subject "Order"
    And "dora@cedar.test" received 0 mails with the subject "Order"
    When the engine runs again after 15 minutes
    Then the email "Order" is sent
    And "carl@birch.test" received 1 mail with the subject "Order"
    And "dora@cedar.test" received 1 mail with the subject "Order"
    And the Message-ID of the mail "Order" to "dora@cedar.test" is the one of its email

  Scenario: Refused for now until the attempts are used up
    Given the SMTP server refuses "dora@cedar.test" with "451 4.3.0 never"
    When "Ada" sends an email to "Carl Birch, Dora Cedar" with the subject "Order"
    And the engine runs
    And the engine runs 9 more times, 15 minutes apart
    Then the email "Order" is sent
    And the email "Order" was tried 10 times
    And "carl@birch.test" received 1 mail with the subject "Order"
    And "Ada" is told of 1 "EmailNotSent"

  Scenario: What has reached somebody cannot be canceled
    Given the SMTP server refuses "dora@cedar.test" with "451 4.3.0 later" once
    When "Ada" sends an email to "Carl Birch, Dora Cedar" with the subject "Order"
    And the engine runs
    And the email "Order" is canceled by "Ada"
    Then it is refused because a pending send email that has reached some of its recipients cannot be canceled

  Scenario: All are refused, some for now
    Given the SMTP server refuses "carl@birch.test" with "550 5.1.1 no such user"
    And the SMTP server refuses "dora@cedar.test" with "451 4.3.0 later" once
    When "Ada" sends an email to "Carl Birch, Dora Cedar" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    When the engine runs again after 15 minutes
    Then the email "Order" is sent
    And "dora@cedar.test" received 1 mail with the subject "Order"
