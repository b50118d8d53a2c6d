Feature: How often a mailbox is looked at
  Normally every five minutes; a busy mailbox down to two minutes, a quiet one up to twelve. Each empty look adds a minute, a full batch halves the time, and
  any mail brings a mailbox back into the active window. The profile's minimum is a floor under all of it.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the engine ran

  Scenario: A quiet mailbox is left alone longer and longer, up to twelve minutes
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is polled again after 360 seconds
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is polled again after 420 seconds
    When the engine runs 10 times, every 15 minutes
    Then the mailbox of "Ada" is polled again after 720 seconds

  Scenario: Mail brings it back
    Given the engine ran 8 times, every 15 minutes
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is polled again after 300 seconds

  Scenario: A full batch halves the time, down to two minutes
    Given the deployment's "IncomingMaximumEmailsPerCycle" is "2"
    And 3 mails from "carl@birch.test" to "ada@alder.test"
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is polled again after 150 seconds
    Given 5 mails from "carl@birch.test" to "ada@alder.test"
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is polled again after 120 seconds

  Scenario: The profile's minimum is a floor
    Given the profile "Alder mail" has the minpollingintervalinminutes "30"
    When the engine runs again after 40 minutes
    Then the mailbox of "Ada" is polled again after 1800 seconds

  Scenario: What a cycle leaves behind in the statistics
    Given 2 mails from "carl@birch.test" to "ada@alder.test"
    When the engine runs again after 25 minutes
    Then the statistics of "Ada" for incoming email say "itemsprocessed=2; itemsfailed=0; processresult=on; crmitemsbacklog=-1; scheduledtimeintervalinminutes=20"
