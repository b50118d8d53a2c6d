Feature: One router serves several organizations
  CrmServerUrl says which organization an entry is for. No mail, state or error crosses over, and an organization whose database is away keeps no other
  waiting. Several routers may share the work by disjoint sets of users and queues; where the sets overlap they meet at the mailbox's lease, say so, and
  nothing is doubled.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"

  Scenario: Five organizations, five mailboxes, one provider
    Given 5 organizations beside it, each with a user and a feed of one mail
    When the router runs
    Then each organization beside it has its own mail alone
    And the organization has no emails

  Scenario: One that fails keeps no other waiting
    Given 3 organizations beside it, each with a user and a feed of one mail
    When the organization "Org1" loses its database
    And the router runs
    Then the instance "Org1" was last told "the store is closed"
    And the organization "Org0" has its mail
    And the organization "Org2" has its mail

  Scenario: Overlapping routers meet at the lease and say so
    Given the file has a feed "news" for "Ada"
    And the feed "news" holds the mail "Hello" to "ada@alder.test"
    And a second router with the same file and a memory of its own
    And while the feed "news" runs the second router runs too
    When the router runs
    Then the second router says of "news" that "it is being processed by here/1"
    And the feed "news" ran 1 time

  Scenario: What one router took in, another does not take in again
    Given the file has a feed "news" for "Ada"
    And the feed "news" holds the mail "Hello" to "ada@alder.test"
    And a second router with the same file and a memory of its own
    When the router runs
    And the second router runs
    Then the second router says of "news" that "what it remembers is not in the router's database"
    And the feed "news" ran 1 time
    When somebody resumes "news" of the second router
    Then the feed "news" ran 2 times
    And the organization has the emails "Hello"
