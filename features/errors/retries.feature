Feature: What an error leads to
  Trouble that may pass postpones the direction by five minutes, ten times; then it counts as permanent. Permanent trouble switches the direction off at once,
  until somebody tests and enables it. Trouble with one message touches only that message.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the organization's "GenerateAlertsForWarnings" is "on"

  Scenario: Trouble that may pass
    Given the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    When the engine runs again after 15 minutes
    Then incoming email of "Ada" waits 300 seconds after the failure
    And the mailbox of "Ada" is enabled for incoming email
    And there is an open warning alert "ServerBusy" for "Ada"

  Scenario: The eleventh failure in a row is permanent, with the same code at level Error
    Given the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    When the engine runs 10 times, every 15 minutes
    Then the mailbox of "Ada" is enabled for incoming email
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is not enabled for incoming email
    And the mailbox of "Ada" is enabled for outgoing email
    And the mailbox of "Ada" is active
    And the error alert "ServerBusy" for "Ada" belongs to the warning

  Scenario: A good cycle forgets the failures
    Given the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    When the engine runs 10 times, every 15 minutes
    And the server is well again
    And the engine runs again after 15 minutes
    Then the mailbox of "Ada" says "transientfailurecount" is "0"
    And there is a closed warning alert "ServerBusy" for "Ada"

  Scenario: The counters of all operations stand in one number
    Given the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    And the server answers every "EHLO" with "451 4.3.0 later"
    And the contact "Carl" with the address "carl@birch.test"
    When "Ada" sends an email to "Carl" with the subject "Offer"
    And the engine runs 2 times, every 15 minutes
    Then the mailbox of "Ada" says "transientfailurecount" is "2002000"
    When the server is well again
    And the engine runs again after 15 minutes
    Then the email "Offer" is sent

  Scenario: Refused credentials switch the direction off at once, until it is tested
    Given the server answers every "PASS" with "-ERR [AUTH] no"
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is not enabled for incoming email
    And there is an open error alert "IncomingEmailAuthenticationError" for "Ada"
    When the server is well again
    And the engine runs again after 15 minutes
    Then the mailbox of "Ada" is not enabled for incoming email
    When the mailbox of "Ada" is tested and enabled
    Then the mailbox of "Ada" is enabled for incoming email
    And there is a closed error alert "IncomingEmailAuthenticationError" for "Ada"

  Scenario: A server that is too slow has a waiting time of its own
    Given the deployment's "MailboxBackoffOnTimeout" is "900"
    And the server answers nothing to every "PASS"
    When the engine runs again after 15 minutes
    Then incoming email of "Ada" waits 900 seconds after the failure

  Scenario: One bad message does not count against the mailbox
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Bad"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Good"
    And the server answers the first "RETR" with "-ERR cannot"
    When the engine runs again after 15 minutes
    Then the mail "Good" became an email activity
    And the mailbox of "Ada" says "transientfailurecount" is "0"
    When the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Bad"
