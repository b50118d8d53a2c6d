Feature: Forward mailboxes
  Instead of polling many mailboxes the engine can read one to which the others forward. A rule of the mail server sends each mail on as an attachment;
  what counts is the mail inside, judged for the user or queue that forwarded it. Several mails in one item are several activities. What is no forwarded
  item is refused and told.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", served by server-side synchronization
    And the user "Ben" with the address "ben@alder.test", served by server-side synchronization
    And "Ada" tracks all email messages
    And mail for "Ada" goes through the forward mailbox "sink@alder.test"

  Scenario: The mail inside becomes the activity
    Given "Ada" forwarded the mail "Hello" of "carl@birch.test" to "sink@alder.test"
    When the engine runs
    Then the mail "Hello" became an email activity
    And the email "Hello" was accepted by "Ada" in the mailbox of "Ada"
    And the email "Hello" has the sender "carl@birch.test"
    And the mail "Forwarded: Hello" is gone from the server

  Scenario: Several mails in one item
    Given "Ada" forwarded the mails "One, Two, Three" of "carl@birch.test" to "sink@alder.test"
    When the engine runs
    Then the mail "One" became an email activity
    And the mail "Two" became an email activity
    And the mail "Three" became an email activity

  Scenario: Two users forward the same mail
    Given mail for "Ben" goes through the forward mailbox "sink@alder.test"
    And "Ada" forwarded the mail "Hello" of "carl@birch.test" to "sink@alder.test"
    And "Ben" forwarded the mail "Hello" of "carl@birch.test" to "sink@alder.test"
    When the engine runs
    Then there is 1 email activity with the subject "Hello"

  Scenario: The forwarding user's filter decides
    Given "Ada" tracks no email messages
    And "Ada" forwarded the mail "Hello" of "carl@birch.test" to "sink@alder.test"
    When the engine runs
    Then the mail "Forwarded: Hello" was filtered as "no correlation match"

  Scenario: Who forwards must be delivered to through a forward mailbox
    Given "Ben" forwarded the mail "Hello" of "carl@birch.test" to "sink@alder.test"
    When the engine runs
    Then the mail "Forwarded: Hello" was filtered as "invalid sender"
    And "sink@alder.test" is told "InvalidForwardMailItem" about the mail "Forwarded: Hello"

  Scenario: The original must be an attachment
    Given a mail from "ada@alder.test" to "sink@alder.test" with the subject "Look at this"
    When the engine runs
    Then the mail "Look at this" was filtered as "invalid sender"
    And "sink@alder.test" is told "InvalidForwardMailItem" about the mail "Look at this"

  Scenario: The own mailbox of a user whose mail is forwarded is not polled
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" is still on the server, untouched
