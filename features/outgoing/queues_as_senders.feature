Feature: Queues as senders
  An email may come from a queue: it is sent through the queue's mailbox, with the queue's address and name. Who sends it must be able to read the queue.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the queue "Support" with the address "support@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"
    And "Support" writes an email to "Carl Birch" with the subject "Your case"

  Scenario: Sent through the queue's mailbox
    When "Ada" sends the email "Your case"
    And the engine runs
    Then the email "Your case" is sent
    And the mail "Your case" to "carl@birch.test" is from "support@alder.test"

  Scenario: By somebody who may not read the queue
    When "Ada" without the privilege "prvReadQueue" sends the email "Your case"
    Then it is refused because User does not have send-as privilege
    And the email "Your case" is draft

  Scenario: While the queue's mailbox may not send
    Given the mailbox of "Support" is deactivated
    When "Ada" sends the email "Your case"
    And the engine runs
    Then the email "Your case" is pending send
