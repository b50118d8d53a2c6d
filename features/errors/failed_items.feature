Feature: Failures of single emails are kept for their owner
  An email that could not be taken in or sent has a row of its own until it comes right, or for three days: what it is, what was wrong, how often it was tried
  (EnableSssItemLevelMonitoring, ExchangeSyncIdMappingPersistenceTimeInDays). The owner of the mailbox sees it; an administrator sees it without the
  subject; nobody else sees it.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the user "Ben" with the address "ben@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"
    And "Ada" tracks all email messages
    And the engine ran

  Scenario: An email that was refused
    Given the SMTP server answers "DATA" with "554 5.5.1 no"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then "Ada" sees a failed email "Order", tried 1 time, because "554 5.5.1 no"
    And "Ben" sees no failed emails
    And an administrator sees a failed email "***", tried 1 time, because "554 5.5.1 no"

  Scenario: An email that is sent after all
    Given the SMTP server answers "DATA" with "554 5.5.1 no"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    And the server is well again
    And the email "Order" is sent again
    Then "Ada" sees no failed emails

  Scenario: A message that cannot be taken in
    Given the server answers every "RETR" with "-ERR cannot read it"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Bad"
    When the engine runs 3 times, every 15 minutes
    Then "Ada" sees a failed email "", tried 3 times, because "cannot read it"
    When the server is well again
    And the engine runs again after 15 minutes
    Then the mail "Bad" became an email activity
    And "Ada" sees no failed emails

  Scenario: They go after the days that the organization sets
    Given the switch "ExchangeSyncIdMappingPersistenceTimeInDays" is "5"
    And the SMTP server answers "DATA" with "554 5.5.1 no"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    And the engine runs again after 4 days
    Then "Ada" sees a failed email "Order", tried 1 time, because "554 5.5.1 no"
    When the engine runs again after 2 days
    Then "Ada" sees no failed emails

  Scenario: Switched off
    Given the switch "EnableSssItemLevelMonitoring" is "off"
    And the SMTP server answers "DATA" with "554 5.5.1 no"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then "Ada" sees no failed emails
