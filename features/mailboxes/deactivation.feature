Feature: What ends a mailbox's work
  A mailbox stops when it, its user or queue, or its profile is switched off or deleted. What happens then, and what somebody has to do before it works
  again, is the same every time: activate, test, enable.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the queue "Support" with the address "support@alder.test", ready to send and receive

  Scenario: The test of a deactivated mailbox fails
    Given the mailbox of "Ada" is deactivated
    When a test of the mailbox of "Ada" is asked for
    Then the test of the mailbox of "Ada" failed for incoming email
    And there is an error alert "MailboxInactive" for "Ada"

  Scenario: A deactivated queue deactivates its mailbox
    When the queue "Support" is deactivated
    Then the mailbox of "Support" is inactive

  Scenario: A profile that is switched off leaves its mailboxes unprocessed, and they say so
    When the profile "Alder mail" is switched off
    Then the mailbox of "Ada" is skipped for incoming email because "the profile is inactive"
    And there is an open error alert "InvalidIncomingEmailServerProfile" for "Ada"
    And there is an open error alert "InvalidOutgoingEmailServerProfile" for "Ada"
    When the profile "Alder mail" is switched on
    Then there is a closed error alert "InvalidIncomingEmailServerProfile" for "Ada"

  Scenario: The default profile cannot be deleted
    When the profile "Alder mail" is deleted
    Then it is refused because the organization's default profile cannot be deleted

  Scenario: Another profile that is deleted leaves its mailboxes without one
    Given there is no default profile
    When the profile "Alder mail" is deleted
    Then the mailbox of "Ada" has no profile
    And the mailbox of "Ada" is not enabled for incoming email

  Scenario Outline: With a user or queue its mailbox goes
    When the <kind> "<name>" is deleted
    Then the mailbox of "<name>" is gone

    Examples:
      | kind  | name    |
      | user  | Ada     |
      | queue | Support |

  Scenario Outline: A change that makes the test worthless
    When the mailbox of "Ada" has the <attribute> "<value>"
    Then the mailbox of "Ada" is not enabled for incoming email
    And the test of the mailbox of "Ada" was not run for incoming email

    Examples:
      | attribute                           | value   |
      | emailserverprofile                  | nothing |
      | username                            | someone |
      | incomingemaildeliverymethod         | 0       |
      | allowemailconnectortousecredentials | off     |
