Feature: An organization uses the Email Router or server-side synchronization
  Never both: the organization's email channel decides. Choosing server-side synchronization stops the router for that organization, which is told by
  name; what its instances remember is kept. Of the mailboxes the router serves those whose delivery method says so and whose address is approved.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And the file has a feed "news" for "Ada"
    And the feed "news" holds the mail "first" to "ada@alder.test"
    And the router ran

  Scenario: Choosing server-side synchronization stops the router
    When the organization changes to server-side synchronization
    And the feed "news" gets the mail "second" to "ada@alder.test"
    And the router runs again after 1 minute
    Then the instance "news" is stopped because "the organization uses server-side synchronization"
    And the router told "organization.left" 1 time
    And the organization has the emails "first"

  Scenario: Choosing the router again lets it go on where it was
    When the organization changes to server-side synchronization
    And the router runs again after 1 minute
    And the organization changes back to the Email Router
    And the feed "news" gets the mail "second" to "ada@alder.test"
    And the router runs again after 1 minute
    Then the instance "news" is waiting
    And the organization has the emails "first, second"

  Scenario: A mailbox whose address is not approved is not served
    Given the user "Cay" with the address "cay@alder.test", served by server-side synchronization
    And the file has the feed of the unapproved user "Cay"
    When the file is saved
    And the router runs again after 1 minute
    Then the instance "feed of Cay" is stopped because "the address is not approved"
