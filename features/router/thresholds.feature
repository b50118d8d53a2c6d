Feature: A router that takes over goes on where the other one stood
  The original kept a threshold for each mailbox in SystemState.xml. It is imported into the router's database: mail received before it is not taken
  in and stays at the source, in the first run, after a restart and under another password. A provider whose state has a cursor begins there.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"

  Scenario: POP3 has no cursor: the threshold is a watermark
    Given the file has the provider "pop3" for "Ada"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 40 days old with the subject "old"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 2 days old with the subject "new"
    And the original's state file says that "ada@alder.test" stood 10 days ago
    When the router runs
    Then the organization has the emails "new"
    And the mailbox of "ada@alder.test" still holds 2 messages at the source

  Scenario: It holds after a restart, for what is found late too
    Given the file has the provider "pop3" for "Ada"
    And the original's state file says that "ada@alder.test" stood 10 days ago
    And the router ran
    And a mail from "carl@birch.test" to "ada@alder.test" that is 40 days old with the subject "old"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 2 days old with the subject "new"
    When the router is stopped and started again
    Then the organization has the emails "new"

  Scenario: What is deleted after processing is not what was never processed
    Given the file has the provider "pop3" for "Ada" with DeleteEmails=true
    And a mail from "carl@birch.test" to "ada@alder.test" that is 40 days old with the subject "old"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 2 days old with the subject "new"
    And the original's state file says that "ada@alder.test" stood 10 days ago
    When the router runs
    Then the organization has the emails "new"
    And the mailbox of "ada@alder.test" still holds 1 message at the source

  Scenario: One entry that serves several: each begins where the entry stood
    Given another routed user "Ben" with the address "ben@alder.test"
    And the file has the provider "pop3" for "Ada" and "Ben"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 40 days old with the subject "old"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 2 days old with the subject "new"
    And the original's state file says that "ada@alder.test" stood 10 days ago
    When the router runs
    Then the organization has the emails "new"

  Scenario: A threshold at the beginning of time is held, not believed
    Given the file has the provider "pop3" for "Ada"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 40 days old with the subject "old"
    And the original's state file says that "ada@alder.test" stood at the beginning of time
    When the router runs
    Then the instance "Ada in" is held because "beginning of time"
    And the organization has no emails
