Feature: What is asked before an email is sent
  SendEmail looks at the email before it lets it wait: it has one sender, a user or a queue with an address, and at least one recipient with an
  address. What is wrong is said at once to whoever asked, and the email stays a draft. With IssueSend false nothing is sent: the email is only
  recorded as sent, for a client that has sent it itself. The mailbox of the sender is noted on the email: it is the one that will send it.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: Without a recipient
    Given "Ada" writes an email to "" with the subject "Order"
    When "Ada" sends the email "Order"
    Then it is refused because the email has no recipients
    And the email "Order" is draft

  Scenario: To a contact without an address
    Given the contact "Mute" with the address " "
    And "Ada" writes an email to "Mute" with the subject "Order"
    When "Ada" sends the email "Order"
    Then it is refused because no recipient has an address

  Scenario: From a contact
    Given "Carl Birch" writes an email to "Ada" with the subject "Order"
    When "Ada" sends the email "Order"
    Then it is refused because the sender must be a user or a queue

  Scenario: To something that is no address
    When "Ada" writes an email to "carl at birch" with the subject "Order"
    Then it is refused because not a list of addresses

  Scenario: Only recorded as sent
    Given "Ada" writes an email to "Carl Birch" with the subject "Order"
    When the email "Order" is only recorded as sent by "Ada"
    And the engine runs
    Then the email "Order" is sent
    And "carl@birch.test" received 0 mails with the subject "Order"

  Scenario: The envelope and the header name the sender's mailbox
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the mail "Order" to "carl@birch.test" is from "ada@alder.test"

  Scenario: What leaves can be known again
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the Message-ID of the mail "Order" to "carl@birch.test" is the one of its email
    And the mail "Order" to "carl@birch.test" names its email in our own header
