Feature: Who a mail is from, to whom it is, and whose it is
  Addresses become records: the sender one record, in a fixed order of kinds; each recipient every record that has the address. Whoever is not on record
  stays an address. The email belongs to a user it was addressed to.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the user "Ben" with the address "ben@alder.test", served by server-side synchronization
    And "Ada" tracks all email messages

  Scenario Outline: A sender with several records is the first kind in the order
    Given the <second> "Second" with the address "twin@birch.test"
    And the <first> "First" with the address "twin@birch.test"
    And a mail from "twin@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is from the <first> "First"

    Examples:
      | first   | second  |
      | contact | account |
      | account | lead    |
      | contact | lead    |

  Scenario: A colleague is a user before anything else
    Given the contact "Ben at home" with the address "ben@alder.test"
    And a mail from "ben@alder.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is from the user "Ben"

  Scenario: An inactive record gives way to an active one
    Given the contact "Old Carl" with the address "carl@birch.test"
    And the account "Carl's firm" with the address "carl@birch.test"
    And the contact "Old Carl" is inactive
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is from the account "Carl's firm"

  Scenario: The only record counts even when it is inactive
    Given the contact "Old Carl" with the address "carl@birch.test"
    And the contact "Old Carl" is inactive
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is from the contact "Old Carl"

  Scenario: Unless inactive records are left out
    Given the setting "ResolveForInactiveEntities" is on
    And the contact "Old Carl" with the address "carl@birch.test"
    And the contact "Old Carl" is inactive
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" has the unresolved sender "carl@birch.test"

  Scenario: The mailbox owner's own contact goes before another's
    Given the contact "Ben's Carl" with the address "carl@birch.test"
    And the contact "Ben's Carl" belongs to "Ben"
    And the contact "Ada's Carl" with the address "carl@birch.test"
    And the contact "Ada's Carl" belongs to "Ada"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is from the contact "Ada's Carl"

  Scenario: A shared sender stays unresolved where the switch says so
    Given the setting "UnresolveSenderInCaseOfMultipleMatch" is on
    And the contact "Carl" with the address "carl@birch.test"
    And the account "Birch" with the address "carl@birch.test"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" has the unresolved sender "carl@birch.test"

  Scenario: A recipient is every record with the address
    Given the contact "Carl" with the address "carl@birch.test"
    And the account "Birch" with the address "CARL@birch.test"
    And a mail from "x@else.test" to "ada@alder.test, carl@birch.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" has 3 to parties
    And the email "Hello" is to the contact "Carl"
    And the email "Hello" is to the account "Birch"

  Scenario: Or none of them where shared recipients stay unresolved
    Given leaving shared recipients unresolved is on
    And the contact "Carl" with the address "carl@birch.test"
    And the account "Birch" with the address "carl@birch.test"
    And a mail from "x@else.test" to "ada@alder.test, carl@birch.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" has 2 to parties
    And the email "Hello" has the unresolved recipient "carl@birch.test"

  Scenario Outline: An unknown sender becomes a record where the user wants it
    Given "Ada" wants a <entity> for unknown senders
    And a mail from "eve@fir.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is from a new <entity> with the address "eve@fir.test"

    Examples:
      | entity  |
      | contact |
      | lead    |

  Scenario: No record where the organization does not allow it
    Given the setting "AutoCreateContactOnPromote" is off
    And "Ada" wants a contact for unknown senders
    And a mail from "eve@fir.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" has the unresolved sender "eve@fir.test"

  Scenario: The email belongs to the first user on To
    Given a mail from "x@else.test" to "ben@alder.test, ada@alder.test" reaches "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is owned by "Ben"

  Scenario: To somebody in copy only when nobody of ours is on To
    Given a mail from "x@else.test" to "list@else.test" and in copy to "ben@alder.test" reaches "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is owned by "Ben"

  Scenario: To whom the email belongs that it answers
    Given "Ada" sent an email to "x@else.test" with the subject "Offer"
    When "x@else.test" answers "Offer" to "ben@alder.test, ada@alder.test" with the subject "Yes" and In-Reply-To
    And the engine runs again after 15 minutes
    Then the email "Yes" is owned by "Ada"

  Scenario: Or to whom the sender's record belongs
    Given the contact "Carl" with the address "carl@birch.test"
    And the contact "Carl" belongs to "Ada"
    And a mail from "carl@birch.test" to "ben@alder.test, ada@alder.test" reaches "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" is owned by "Ada"

  Scenario: A queue's mail belongs to the queue's owner
    Given the queue "Support" with the address "support@alder.test", ready to send and receive
    And "Ben" is the owner of the queue "Support"
    And a mail from "x@else.test" to "support@alder.test" with the subject "Help"
    When the engine runs
    Then the email "Help" is owned by "Ben"
