Feature: The cycle: what is sent when, and in which order
  A cycle takes the email that waits for a mailbox that may send: high delivery priority first, then the oldest. An email, a mailbox or both may be
  postponed. While the mailbox of the sender is not configured, approved and enabled, its email simply stays Pending Send: that is no failure, no attempt is
  counted, and it leaves when the mailbox is ready.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: High priority first, then the oldest
    When "Ada" sends an email with low delivery priority to "Carl Birch" with the subject "Fourth"
    And "Ada" sends an email with normal delivery priority to "Carl Birch" with the subject "Second"
    And "Ada" sends an email with normal delivery priority to "Carl Birch" with the subject "Third"
    And "Ada" sends an email with high delivery priority to "Carl Birch" with the subject "First"
    And the engine runs
    Then the mails reached the server in the order "First, Second, Third, Fourth"

  Scenario: The mailbox is postponed
    Given the mailbox of "Ada" sends nothing for 30 minutes
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs again after 29 minutes
    Then the email "Order" is pending send
    When the engine runs again after 1 minutes
    Then the email "Order" is sent

  Scenario: The mailbox is deactivated
    Given the mailbox of "Ada" is deactivated
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    And the email "Order" was tried 0 times
    And "Ada" is told of 1 "MailboxDisabled"

  Scenario: The mailbox has no profile
    Given the mailbox of "Ada" has no profile any more
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    And the email "Order" was tried 0 times

  Scenario: The address is not approved
    Given the address of "Ada" is rejected
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    And the email "Order" was tried 0 times

  Scenario: The mailbox becomes ready later
    Given the user "Ben" with the address "ben@alder.test", approved but not tested
    When "Ben" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    When the mailbox of "Ben" is tested and enabled
    And the engine runs
    Then the email "Order" is sent
    And the email "Order" was tried 1 time
