Feature: A message that cannot be taken in
  Trouble with one message touches only that message. It is tried again in each cycle, five times in all; then it is given up: it stays on the server,
  nobody looks at it again, and the ledger says why. What is too large is given up at once. Whoever wants it after all finds it where it was.

  Background:
    Given an organization "Alder" with a mail server
    And the queue "Orders" with the address "orders@alder.test", ready to send and receive
    And "Orders" tracks all email messages
    And emails of "Orders" are deleted after processing
    And the engine ran

  Scenario: Tried five times, then given up
    Given the server answers every "RETR" with "-ERR cannot read it"
    And a mail from "carl@birch.test" to "orders@alder.test" with the subject "Bad"
    When the engine runs 4 times, every 15 minutes
    Then the mail "Bad" is tried again
    When the engine runs again after 15 minutes
    Then the mail "Bad" is given up, because "cannot read it"
    And the mail "Bad" is still on the server
    And the mailbox of "Orders" is enabled for incoming email

  Scenario: What was given up stays given up, and nothing waits for it
    Given the server answers every "RETR" with "-ERR cannot read it"
    And a mail from "carl@birch.test" to "orders@alder.test" with the subject "Bad"
    When the engine runs 5 times, every 15 minutes
    And the server is well again
    And a mail of 1000 octets from "carl@birch.test" to "orders@alder.test" arrives with the subject "Good"
    And the engine runs again after 15 minutes
    Then the mail "Good" became an email activity
    And the mail "Good" is gone from the server
    And the mail "Bad" is given up, because "cannot read it"
    And the mail "Bad" is still on the server

  Scenario: What comes right in time is taken in
    Given the server answers the first "RETR" with "-ERR cannot read it"
    And a mail from "carl@birch.test" to "orders@alder.test" with the subject "Bad"
    When the engine runs 2 times, every 15 minutes
    Then the mail "Bad" became an email activity
    And the mail "Bad" is gone from the server

  Scenario: Too large to be taken in
    Given a mail from "carl@birch.test" to "orders@alder.test" with the subject "Before"
    When a mail of 30000000 octets from "carl@birch.test" to "orders@alder.test" arrives with the subject "Huge"
    And the engine runs again after 15 minutes
    Then the mail "Huge" is given up, because "octets"
    And the mail "Huge" is still on the server
    And the mail "Before" became an email activity
