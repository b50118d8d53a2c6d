Feature: Instances run side by side
  Each provider of the file has an instance for each mailbox it serves. An instance runs once at a time, each polling period, and takes at most
  MaxMessageCount messages; one that has more to do goes on behind everybody who is due. Providers that send for many let them take turns.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And another routed user "Ben" with the address "ben@alder.test"

  Scenario: Each takes in its own mail
    Given the file has a feed "first" for "Ada"
    And the file has a feed "second" for "Ben"
    And the feed "first" holds the mail "to Ada" to "ada@alder.test"
    And the feed "second" holds the mail "to Ben" to "ben@alder.test"
    When the router runs
    Then the organization has the emails "to Ada, to Ben"
    And the instance "first" is waiting
    And the instance "second" is waiting

  Scenario: An error of one is no error of the other
    Given the file has a feed "first" for "Ada"
    And the file has a feed "second" for "Ben"
    And the feed "first" cannot be reached
    And the feed "second" holds the mail "to Ben" to "ben@alder.test"
    When the router runs
    Then the instance "first" was last told "no line"
    And the instance "second" is waiting
    And the organization has the emails "to Ben"

  Scenario: One that has more to do goes on at once
    Given the file has a feed "first" for "Ada" with MaxMessageCount=1
    And the feed "first" holds the mail "one" to "ada@alder.test"
    And the feed "first" holds the mail "two" to "ada@alder.test"
    When the router runs
    Then the feed "first" ran 2 times
    And the organization has the emails "one, two"

  Scenario: Those who send through one provider take turns
    Given the file has an smtp provider "relay" for "Ada, Ben" with BatchSize=1 and RequestBatchSize=1
    And "Ada" wrote 3 emails to "carl@birch.test"
    And "Ben" wrote 3 emails to "carl@birch.test"
    When the router runs
    Then "carl@birch.test" received in this order of senders "1 2 1 2 1 2"

  Scenario: A turn may be longer
    Given the file has an smtp provider "relay" for "Ada, Ben" with BatchSize=1 and RequestBatchSize=2
    And "Ada" wrote 3 emails to "carl@birch.test"
    And "Ben" wrote 3 emails to "carl@birch.test"
    When the router runs
    Then "carl@birch.test" received in this order of senders "1 1 2 2 1 2"

  Scenario: Each provider is closed once
    Given the file has a feed "first" for "Ada"
    And the file has a feed "second" for "Ben"
    And closing the feed "first" raises
    And the router ran
    When the router is closed
    Then the feed "first" was made 1 time and closed 1 time
    And the feed "second" was made 1 time and closed 1 time
    And the router told "instance.close_failed" 1 time
