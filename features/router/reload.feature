Feature: The file may change while the router runs
  The file is read again each ConfigRefreshPeriod. Only what changed starts anew; a run of it ends cleanly first. A file with errors leaves the old one in
  force and is told once.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And another routed user "Ben" with the address "ben@alder.test"
    And the file has a feed "first" for "Ada"
    And the file has a feed "second" for "Ben"
    And the router ran

  Scenario: The same words again change nothing
    When the file is saved
    And the router runs again after 1 minute
    Then the feed "first" was made 1 time and closed 0 times
    And the router told "router.reloaded" 0 times

  Scenario: Only what changed starts anew
    When the file has a feed "second" for "Ben" with PollingPeriod=30000
    And the file is saved
    And the router runs again after 1 minute
    Then the feed "first" was made 1 time and closed 0 times
    And the feed "second" was made 2 times and closed 1 time

  Scenario: It is looked at each refresh period, not before
    When the entry "second" is taken out of the file
    And the file is saved
    And the router runs again after 4 seconds
    Then the feed "second" was made 1 time and closed 0 times
    When the router runs again after 1 second
    Then the feed "second" was made 1 time and closed 1 time

  Scenario: A bad file leaves the old one in force and is told once
    When the file is saved cut short
    And the router runs again after 1 minute
    And the router runs again after 1 minute
    Then the feed "first" ran 3 times
    And the router told "router.reload_refused" 1 time

  Scenario: What is taken out while it runs ends cleanly
    Given while the feed "first" runs its entry is taken out of the file
    And the feed "first" holds the mail "Hello" to "ada@alder.test"
    When the router runs again after 1 minute
    Then the feed "first" was made 1 time and closed 1 time
    And the state of "first" is kept as a tombstone
    And the organization has no emails
