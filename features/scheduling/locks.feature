Feature: One host works on a mailbox at a time
  A host locks a mailbox while it works on it. A lock that is not given back within 30 minutes is stale: its host may take it up again; another host breaks
  it only where the organization allows forced unlocking, and that is counted.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the engine ran
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"

  Scenario: A mailbox that is being processed is left alone
    Given another host took the mailbox of "Ada" and died
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is skipped for incoming email because "the mailbox is being processed"
    And the mail "Hello" is still on the server, untouched

  Scenario: Forced unlocking is off: another host's lock stays
    Given another host took the mailbox of "Ada" and died
    When the engine runs again after 40 minutes
    Then the mail "Hello" is still on the server, untouched
    And the lock of the mailbox of "Ada" was broken 0 times
    And the mailbox of "Ada" is skipped for incoming email because "another host locked the mailbox and did not give it back"

  Scenario: Forced unlocking is on: a stale lock is broken and counted
    Given the organization's "IsMailboxForcedUnlockingEnabled" is "on"
    And another host took the mailbox of "Ada" and died
    When the engine runs again after 40 minutes
    Then the mail "Hello" became an email activity
    And the lock of the mailbox of "Ada" was broken 1 time

  Scenario: A host takes up again what it locked itself
    Given our own host took the mailbox of "Ada" and died
    When the engine runs again after 40 minutes
    Then the mail "Hello" became an email activity
