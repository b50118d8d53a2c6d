Feature: Internal mail and duplicates
  A message is known by its Message-ID. It is stored once, whoever sees it; a mail between two users of the organization is stored twice, as the email
  that one sent and as the email that the other received, unless the organization ignores internal email.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the user "Ben" with the address "ben@alder.test", ready to send and receive
    And the queue "Support" with the address "support@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And "Ben" tracks all email messages

  Scenario: Mail between two users is two activities
    Given "Ada" sent an email to "Ben" with the subject "Lunch"
    When the engine runs again after 15 minutes
    Then there is 2 email activity with the subject "Lunch"

  Scenario: It is one activity where internal email is ignored
    Given ignoring internal email is on
    And "Ada" sent an email to "Ben" with the subject "Lunch"
    When the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Lunch"
    And the other copy of "Lunch" was filtered as "internal email reject"

  Scenario: A mail that a user sent from elsewhere is taken in all the same
    There is no outgoing email of it, so that it would be lost otherwise.
    Given ignoring internal email is on
    And a mail from "ada@alder.test" to "ben@alder.test" with the subject "From my phone"
    When the engine runs
    Then the mail "From my phone" became an email activity

  Scenario: Without the enhancement it is ignored too
    Given ignoring internal email is on
    And the setting "IgnoreInternalEmailDetectionEnhancement" is off
    And a mail from "ada@alder.test" to "ben@alder.test" with the subject "From my phone"
    When the engine runs
    Then the mail "From my phone" was filtered as "internal email reject"

  Scenario: Mail to a queue is taken in although internal email is ignored
    Given ignoring internal email is on
    And "Ada" sent an email to "Support" with the subject "A case"
    When the engine runs again after 15 minutes
    Then there is 2 email activity with the subject "A case"

  Scenario: Unless that is switched off
    Given ignoring internal email is on
    And the setting "DoNotIgnoreInternalEmailToQueues" is off
    And "Ada" sent an email to "Support" with the subject "A case"
    When the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "A case"

  Scenario Outline: Mail from a queue to a user
    Given the setting "IgnoreInternalEmailFromQueues" is <state>
    And "Support" sent an email to "Ben" with the subject "A case"
    When the engine runs again after 15 minutes
    Then there is <count> email activity with the subject "A case"

    Examples:
      | state | count |
      | off   | 2     |
      | on    | 1     |

  Scenario: The same message in another mailbox is no second activity
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the mail "Hello" also reaches "ben@alder.test"
    And the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Hello"
    And the other copy of "Hello" was filtered as "duplicate"

  Scenario: A message without a Message-ID is known by its sender, date, subject and text
    Given a mail without a Message-ID from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the mail "Hello" also reaches "ben@alder.test"
    And the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Hello"

  Scenario Outline: A queue that sees a message later
    Given the setting "SSSCreateAdditionalQueueItemsForAlreadyTrackedEmail" is <state>
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the mail "Hello" also reaches "support@alder.test"
    And the engine runs again after 15 minutes
    Then the email "Hello" is in <queues>

    Examples:
      | state | queues              |
      | off   | no queue            |
      | on    | the queue "Support" |
