Feature: An instance keeps its state over a restart
  What an instance remembers lies in the router's database under its identity: the provider, its account, organization and name. A new password or
  another period is the same instance. An instance that leaves the file leaves a tombstone; when it comes back it goes on where it was. A state that
  cannot be used is held for that instance alone, and nothing ever begins at the beginning of time by itself.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And the file has a feed "news" for "Ada"
    And the feed "news" holds the mail "first" to "ada@alder.test"
    And the router ran

  Scenario: A restart repeats nothing
    Given the feed "news" holds the mail "second" to "ada@alder.test"
    When the router is stopped and started again
    Then the organization has the emails "first, second"
    And the feed "news" was made 2 times and closed 1 time

  Scenario: A vanished instance leaves a tombstone
    When the entry "news" is taken out of the file
    And the file is saved
    And the router runs again after 1 minute
    Then the state of "news" is kept as a tombstone
    And the feed "news" was made 1 time and closed 1 time

  Scenario: One that comes back goes on where it was
    When the entry "news" is taken out of the file
    And the file is saved
    And the router runs again after 1 minute
    And the file has a feed "news" for "Ada"
    And the feed "news" gets the mail "second" to "ada@alder.test"
    And the file is saved
    And the router runs again after 1 minute
    Then the organization has the emails "first, second"

  Scenario: A state that cannot be used is held, over a restart too
    When the feed "news" cannot use its state
    And the router runs again after 1 minute
    Then the instance "news" is held because "the cursor is nonsense"
    And the mailbox of "Ada" has the alert "InvalidMailboxState"
    When the feed "news" works again
    And the router is stopped and started again
    Then the instance "news" is held
    When somebody resumes "news"
    Then the instance "news" is waiting
