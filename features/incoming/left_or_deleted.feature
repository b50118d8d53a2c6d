Feature: What happens to the mail on the server
  Mail stays on the server unless its mailbox says otherwise, which only mailboxes of queues and forward mailboxes may. The engine remembers each message
  by the name the server gives it; a name that the server gives to another message is noticed.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the queue "Support" with the address "support@alder.test", ready to send and receive

  Scenario: A user's mail stays
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" is still on the server

  Scenario: A queue's mail stays unless the mailbox says otherwise
    Given a mail from "carl@birch.test" to "support@alder.test" with the subject "Help"
    When the engine runs
    Then the mail "Help" is still on the server

  Scenario: Deleted after processing
    Given emails of "Support" are deleted after processing
    And a mail from "carl@birch.test" to "support@alder.test" with the subject "Help"
    When the engine runs
    Then the mail "Help" became an email activity
    And the mail "Help" is gone from the server

  Scenario: What was filtered is processed too
    Given emails of "Support" are deleted after processing
    And a mail without a sender to "support@alder.test" with the subject "Nobody"
    When the engine runs
    Then the mail "Nobody" was filtered as "invalid sender"
    And the mail "Nobody" is gone from the server

  Scenario: What is before the watermark is not processed, and stays
    Given emails of "Support" are deleted after processing
    And the mailbox of "Support" processes mail from 2 days ago on
    And a mail from "carl@birch.test" to "support@alder.test" that is 3 days old with the subject "Help"
    When the engine runs
    Then the mail "Help" waits because it is before the watermark
    And the mail "Help" is still on the server
