Feature: Whose address it is, and who approves it
  The mailbox and its user or queue have one address between them: changing it on either changes it on both. A new address has to be approved and tested
  anew. Approving needs a privilege, and matters only where the organization requires it; a mailbox that lacks a required approval is switched off, and its
  owner and the profile's are told once.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive

  Scenario: Changed on the user, changed on the mailbox
    When "Ada" gets the address "lovelace@alder.test"
    Then the mailbox of "Ada" has the address "lovelace@alder.test"

  Scenario: Changed on the mailbox, changed on the user
    When the mailbox of "Ada" gets the address "lovelace@alder.test"
    Then the user "Ada" has the address "lovelace@alder.test"

  Scenario: A queue and its mailbox, likewise
    Given the queue "Support" with the address "support@alder.test", ready to send and receive
    When the mailbox of "Support" gets the address "help@alder.test"
    Then the queue "Support" has the address "help@alder.test"

  Scenario: A new address is approved and tested anew
    When the mailbox of "Ada" gets the address "lovelace@alder.test"
    Then the address of "Ada" is pending approval
    And the test of the mailbox of "Ada" was not run for incoming email
    And the test of the mailbox of "Ada" was not run for outgoing email
    And the mailbox of "Ada" is not enabled for incoming email
    And the mailbox of "Ada" is not enabled for outgoing email

  Scenario: No address, nothing to approve
    When the mailbox of "Ada" gets the address ""
    Then the address of "Ada" is empty

  Scenario: A mailbox of a user without an address
    When the user "Bo" is created without an address, served by server-side synchronization
    Then the address of "Bo" is empty

  Scenario Outline: Deciding needs the privilege
    When <who> approves the address of "Ada"
    Then <outcome>

    Examples:
      | who                         | outcome                                                        |
      | somebody                    | it is refused because prvApproveRejectEmailAddress             |
      | somebody with the privilege | it is saved                                                    |

  Scenario: A rejected address switches the mailbox off, and that is said
    When somebody with the privilege rejects the address of "Ada"
    Then the address of "Ada" is rejected
    And the mailbox of "Ada" is not enabled for incoming email
    And there is an open error alert "AddressNotApproved" for "Ada"
    And there is an open error alert "AddressNotApproved" for "Alder mail"

  Scenario: Approving it closes the alert
    Given the address of "Ada" is rejected
    When somebody with the privilege approves the address of "Ada"
    Then there is a closed error alert "AddressNotApproved" for "Ada"
