Feature: From when on mail is processed
  A profile and each of its mailboxes may name a moment; mail received before the later of the two is left alone. Over POP3 the moment is the
  administrator's: the engine remembers the name of each message it has seen instead of moving the moment on. Lowering it makes what waited eligible
  again, and also mail whose activity was deleted since.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages

  Scenario Outline: The later of the two moments counts
    Given the profile "Alder mail" processes mail from <profile> days ago on
    And the mailbox of "Ada" processes mail from <mailbox> days ago on
    And a mail from "carl@birch.test" to "ada@alder.test" that is <age> days old with the subject "Hello"
    When the engine runs
    Then <outcome>

    Examples:
      | profile | mailbox | age | outcome                                                   |
      | 5       | 2       | 1   | the mail "Hello" became an email activity                 |
      | 5       | 2       | 3   | the mail "Hello" waits because it is before the watermark |
      | 2       | 5       | 3   | the mail "Hello" waits because it is before the watermark |
      | 5       | 5       | 3   | the mail "Hello" became an email activity                 |

  Scenario: A lowered date of the mailbox brings earlier mail
    Given the mailbox of "Ada" processes mail from 2 days ago on
    And a mail from "carl@birch.test" to "ada@alder.test" that is 3 days old with the subject "Hello"
    And the engine ran
    When the mailbox of "Ada" processes mail from 9 days ago on
    And the engine runs again after 15 minutes
    Then the mail "Hello" became an email activity

  Scenario: So does a lowered date of the profile
    Given the profile "Alder mail" processes mail from 2 days ago on
    And a mail from "carl@birch.test" to "ada@alder.test" that is 3 days old with the subject "Hello"
    And the engine ran
    When the profile "Alder mail" processes mail from 9 days ago on
    And the engine runs again after 15 minutes
    Then the mail "Hello" became an email activity

  Scenario: And what was deleted
    Given the mailbox of "Ada" processes mail from 5 days ago on
    And a mail from "carl@birch.test" to "ada@alder.test" that is 3 days old with the subject "Hello"
    And the engine ran
    When the email activity "Hello" is deleted
    And the mailbox of "Ada" processes mail from 9 days ago on
    And the engine runs again after 15 minutes
    Then the mail "Hello" became an email activity
