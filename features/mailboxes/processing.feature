Feature: Which mailboxes are processed
  A mailbox is processed in a direction when nothing speaks against it: it is active, it has a profile and the profile is active, its delivery method is
  server-side synchronization, its address is approved where approval is required, and the direction was tested and enabled. Whatever
  speaks against it is said in words, and mail of a skipped mailbox stays where it is.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages

  Scenario: A mailbox that nothing speaks against is processed
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" became an email activity

  Scenario: An inactive mailbox is skipped
    Given the mailbox of "Ada" is deactivated
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mailbox of "Ada" is skipped for incoming email because "the mailbox is inactive"
    And the mail "Hello" is still on the server, untouched

  Scenario: A mailbox without a profile is skipped
    Given the mailbox of "Ada" has no profile any more
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mailbox of "Ada" is skipped for incoming email because "the mailbox has no profile"
    And the mail "Hello" is still on the server, untouched

  Scenario: A mailbox whose profile is inactive is skipped
    Given the profile of "Ada" is deactivated
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mailbox of "Ada" is skipped for incoming email because "the profile is inactive"
    And the mail "Hello" is still on the server, untouched

  Scenario: A mailbox whose address is not approved is skipped
    Given the address of "Ada" is rejected
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mailbox of "Ada" is skipped for incoming email because "the address is not approved"

  Scenario: Approval does not matter where it is not required
    Given approval is not required for users
    And the address of "Ada" is rejected
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" became an email activity

  Scenario: A mailbox that was not tested is not enabled, and skipped
    Given the user "Ben" with the address "ben@alder.test", approved but not tested
    And a mail from "carl@birch.test" to "ben@alder.test" with the subject "Hello"
    When the engine runs
    Then the mailbox of "Ben" is skipped for incoming email because "the mailbox is not enabled for incoming email"

  Scenario: A disabled user's mailbox is deactivated with it
    When the user "Ada" is disabled
    Then the mailbox of "Ada" is inactive

  Scenario: Enabling the user again does not activate the mailbox
    Given the user "Ada" is disabled
    When the user "Ada" is enabled again
    Then the mailbox of "Ada" is inactive

  Scenario: Mail that waited is taken in once the mailbox is active again
    Given the mailbox of "Ada" is deactivated
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the mailbox of "Ada" is activated
    And the engine runs
    Then the mail "Hello" became an email activity

  Scenario: Test and enable opens both directions
    Given the user "Ben" with the address "ben@alder.test", approved but not tested
    When the mailbox of "Ben" is tested and enabled
    Then the mailbox of "Ben" is enabled for incoming email
    And the mailbox of "Ben" is enabled for outgoing email
    And "ben@alder.test" received a mail with the subject "Your mailbox is now connected to Dynamics 365"

  Scenario: A wrong password fails the test and enables nothing
    Given the user "Ben" with the address "ben@alder.test", approved but not tested
    And the mailbox of "Ben" has a wrong password
    When the mailbox of "Ben" is tested and enabled
    Then the test of the mailbox of "Ben" failed for incoming email
    And the mailbox of "Ben" is not enabled for incoming email
