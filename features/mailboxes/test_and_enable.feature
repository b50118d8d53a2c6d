Feature: Test and enable
  A mailbox works only after it was tested: the engine logs in for incoming email, and for outgoing email sends a real message to the mailbox itself. Each
  direction is judged by itself and enabled when it passed. A server that has trouble is asked again, up to ten times, five minutes apart.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ben" with the address "ben@alder.test", approved but not tested

  Scenario: Success is told to the mailbox's owner
    When the mailbox of "Ben" is tested and enabled
    Then the test of the mailbox of "Ben" succeeded for incoming email
    And the test of the mailbox of "Ben" succeeded for outgoing email
    And "ben@alder.test" received a mail with the subject "Your mailbox is now connected to Dynamics 365"

  Scenario: Each direction is judged by itself
    Given the server answers every "EHLO" with "535 5.7.8 not you"
    When the mailbox of "Ben" is tested and enabled
    Then the mailbox of "Ben" is enabled for incoming email
    And the test of the mailbox of "Ben" failed for outgoing email
    And the mailbox of "Ben" is not enabled for outgoing email

  Scenario: Failure is told to the owners of mailbox and profile
    Given the mailbox of "Ben" has a wrong password
    When the mailbox of "Ben" is tested and enabled
    Then there is an open error alert "IncomingEmailAuthenticationError" for "Ben"
    And there is an open error alert "IncomingEmailAuthenticationError" for "Alder mail"

  Scenario: Trouble that may pass is tried again
    Given the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    And the server answers every "EHLO" with "451 4.3.0 later"
    When the mailbox of "Ben" is tested and enabled
    Then the test of the mailbox of "Ben" will be tried again
    When the server is well again
    And the engine runs again after 5 minutes
    Then the mailbox of "Ben" is enabled for incoming email
    And the mailbox of "Ben" is enabled for outgoing email

  Scenario: After ten tries it has failed, and both directions had their ten
    Given the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    And the server answers every "EHLO" with "451 4.3.0 later"
    When the mailbox of "Ben" is tested and enabled
    And the engine runs 8 times, every 5 minutes
    Then the test of the mailbox of "Ben" will be tried again
    When the engine runs again after 5 minutes
    Then the test of the mailbox of "Ben" is over
    And the test of the mailbox of "Ben" failed for incoming email
    And the test of the mailbox of "Ben" failed for outgoing email

  Scenario: A test message that is refused for good is no trouble that may pass
    Given the server answers every "MAIL" with "550 5.7.1 you may not send as this address"
    When the mailbox of "Ben" is tested and enabled
    Then the test of the mailbox of "Ben" is over
    And the test of the mailbox of "Ben" failed for outgoing email
    And the mailbox of "Ben" is enabled for incoming email
    And there is an open error alert "MessageError" for "Ben"

  Scenario: All mailboxes of a profile at once
    Given the queue "Support" with the address "support@alder.test", approved but not tested
    When all mailboxes of the profile "Alder mail" are tested and enabled
    Then the mailbox of "Ben" is enabled for incoming email
    And the mailbox of "Support" is enabled for outgoing email

  Scenario: A start date is remembered, and lies behind the profile's
    Given the profile "Alder mail" has the processemailsreceivedafter "2026-01-02"
    When a test of the mailbox of "Ben" is asked for from 2026-01-01 on
    Then it is refused because the start date must be later than the profile's
    When a test of the mailbox of "Ben" is asked for from 2026-01-03 on
    Then the mailbox of "Ben" is enabled for incoming email

  Scenario: The organization that synchronizes the mailbox with Exchange
    When a test of the mailbox of "Ben" is asked for for this organization only
    Then the mailbox of "Ben" says "orgmarkedasprimaryforexchangesync" is "on"

  Scenario: A look without enabling
    When a test of the mailbox of "Ben" is asked for without enabling
    Then the test of the mailbox of "Ben" succeeded for incoming email
    And the mailbox of "Ben" is not enabled for incoming email

  Scenario: A mailbox on the server has one record here
    Given the queue "Desk" with the address "ben@alder.test", approved but not tested
    When the mailbox of "Ben" is tested and enabled
    And a test of the mailbox of "Desk" is asked for
    Then it is refused because mapped to another record already
    And the mailbox of "Ben" is enabled for incoming email
    When a test of the mailbox of "Desk" is asked for taking it over
    Then the mailbox of "Ben" is not enabled for incoming email

  Scenario: The default settings are applied, and tested at once
    Given the mailbox of "Ben" has no profile any more
    When the default email settings are applied to "Ben"
    And the engine runs
    Then the mailbox of "Ben" has the profile "Alder mail"
    And the mailbox of "Ben" is enabled for incoming email
