Feature: Who comes late writes nothing
  A run writes under two fences: of its state in the router's database, and of its mailbox in the organization. When either is taken from it, by a
  deadline that it ignored or by another process, nothing that it still does has an effect.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And the file has a feed "news" for "Ada"

  Scenario: A run whose lease was taken neither commits nor delivers
    Given the feed "news" goes on to deliver after its lease was taken
    When the router runs
    Then what came late was not written
    And the router told "run.fenced" of "news"
    And the organization has no emails

  Scenario: The next run has a fence of its own
    Given the feed "news" goes on to deliver after its lease was taken
    And the feed "news" holds the mail "Hello" to "ada@alder.test"
    When the router runs
    And the router runs again after 1 minute
    Then the organization has the emails "Hello"
    And the instance "news" is waiting
