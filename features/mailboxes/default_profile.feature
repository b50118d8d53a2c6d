Feature: A new mailbox is linked to the default profile
  Every user and every queue gets a mailbox record of its own when it is created. When it is to be served by server-side
  synchronization, in either direction, the mailbox is linked to the organization's default email server profile. Nothing else
  is decided for it: it still has to be approved, tested and enabled before any mail moves.

  Background:
    Given an organization "Alder"
    And an email server profile "Alder mail"
    And "Alder mail" is the default profile

  Scenario: A new user's mailbox is linked to the default profile
    When the user "Ada" is created with the address "ada@alder.test", served by server-side synchronization
    Then the mailbox of "Ada" has the profile "Alder mail"
    And the mailbox of "Ada" has the address "ada@alder.test"

  Scenario: A new queue's mailbox is linked to the default profile
    When the queue "Support" is created with the address "support@alder.test", served by server-side synchronization
    Then the mailbox of "Support" has the profile "Alder mail"

  Scenario Outline: One direction is enough to be linked, none is not
    When the user "Ada" is created with incoming <incoming> and outgoing <outgoing>
    Then the mailbox of "Ada" has <profile>

    Examples:
      | incoming                    | outgoing                    | profile                  |
      | server-side synchronization | none                        | the profile "Alder mail" |
      | none                        | server-side synchronization | the profile "Alder mail" |
      | none                        | none                        | no profile               |
      | forward mailbox             | none                        | no profile               |

  Scenario: Without a default profile nothing is linked
    Given there is no default profile
    When the user "Ada" is created with the address "ada@alder.test", served by server-side synchronization
    Then the mailbox of "Ada" has no profile

  Scenario: An inactive default profile is not linked
    Given the profile "Alder mail" is deactivated
    When the user "Ada" is created with the address "ada@alder.test", served by server-side synchronization
    Then the mailbox of "Ada" has no profile

  Scenario: A later default leaves existing mailboxes alone
    Given the user "Ada" with the address "ada@alder.test", served by server-side synchronization
    And an email server profile "New mail"
    When "New mail" becomes the default profile
    Then the mailbox of "Ada" has the profile "Alder mail"

  Scenario: A new mailbox is neither approved nor enabled
    When the user "Ada" is created with the address "ada@alder.test", served by server-side synchronization
    Then the mailbox of "Ada" awaits approval
    And the mailbox of "Ada" is not enabled for incoming email
    And the mailbox of "Ada" is not enabled for outgoing email

  Scenario: A user has one mailbox only
    Given the user "Ada" with the address "ada@alder.test", served by server-side synchronization
    When a second mailbox is made for "Ada"
    Then it is refused because a user has one mailbox only
