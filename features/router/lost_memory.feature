Feature: A router that lost its memory does not begin anew
  What the instances remember lies in the router's database. When that is gone altogether the organization still knows whom this instance served: such an
  instance is held, with an alert, until somebody restores the database or says from when on it goes on. Nothing begins at the beginning of time by
  itself, and what the organization's ledger knows is not doubled even when somebody says so.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And the file has the provider "pop3" for "Ada"
    And a mail from "carl@birch.test" to "ada@alder.test" that is 40 days old with the subject "old"
    And the original's state file says that "ada@alder.test" stood 10 days ago
    And a mail from "carl@birch.test" to "ada@alder.test" that is 2 days old with the subject "first"
    And the router ran
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "second"

  Scenario: The database vanishes: held and told
    When the router's database vanishes
    And the router is stopped and started again
    Then the organization has the emails "first"
    And the instance "Ada in" is held because "what it remembers is not in the router's database"
    And the router told "state.alert" 1 time
    And the mailbox of "Ada" has the alert "InvalidMailboxState"

  Scenario: It stays held over another restart
    When the router's database vanishes
    And the router is stopped and started again
    And the router is stopped and started again
    Then the instance "Ada in" is held
    And the organization has the emails "first"

  Scenario: Somebody says from when on it goes on
    When the router's database vanishes
    And the router is stopped and started again
    And somebody resumes "Ada in" for mail of the last 5 days
    Then the organization has the emails "first, second"
    And the instance "Ada in" is waiting

  Scenario: Somebody lets it begin anew: the ledger doubles nothing
    When the router's database vanishes
    And the router is stopped and started again
    And somebody resumes "Ada in"
    Then the organization has the emails "first, old, second"

  Scenario: An instance of another name was never there
    When the router's database vanishes
    And the entry "pop3 Ada" is renamed to "another"
    And the router is stopped and started again
    Then the instance "another" is waiting
