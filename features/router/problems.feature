Feature: The router's own trouble is known, and ends with its cause
  A file that was refused, or a trace that cannot be written, is no trouble of any mailbox. It is an alert of the router itself, kept in its database, until
  its cause is over. Tombstones whose time is over are forgotten once a day.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And the file has a feed "news" for "Ada"

  Scenario: A refused file
    Given the router ran
    When the file is saved cut short
    And the router runs again after 1 minute
    Then the router itself has the alert "reload_refused"
    And the instance "news" is waiting
    When the file is saved
    And the router runs again after 1 minute
    Then the router itself has no alert

  Scenario: A refused file and a restart with a good one
    Given the router ran
    When the file is saved cut short
    And the router runs again after 1 minute
    Then the router itself has the alert "reload_refused"
    When the router is stopped and started again
    Then the router itself has no alert

  Scenario: A trace that cannot be written
    Given the file's "LogFile" is "no/such/folder/router.log"
    When the router runs
    Then the router itself has the alert "log_file"
    When the file's "LogFile" becomes "router.log"
    And the file is saved
    And the router runs again after 1 minute
    Then the router itself has no alert

  Scenario: A tombstone whose time is over is forgotten
    Given the router ran
    When the entry "news" is taken out of the file
    And the file is saved
    And the router runs again after 1 minute
    Then the state of "news" is kept as a tombstone
    When the router runs again after 89 days
    Then the state of "news" is kept as a tombstone
    When the router runs again after 2 days
    Then nothing of "news" is kept
    And the router told "instance.forgotten" 1 time
