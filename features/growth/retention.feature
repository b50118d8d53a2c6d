Feature: Retention
  An organization that works for years must not grow for ever with what nobody asks for any more. Once a day the engine removes what was kept long
  enough: traces after the days that the organization sets (tracelogmaximumageindays), statistics of mailboxes and the octets of received messages
  after 30 days, what it remembers of messages that have left their server and of emails that were sent after 180 days. These ages are settings of
  the deployment.

  Activities are records of the organization and never go. And nothing goes that keeps a message from being taken in twice: as long as a server lists a
  message, however old, the engine remembers it; a mailbox that nobody looks into ages nothing.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages

  Scenario: It runs once a day by itself
    Given the deployment keeps mailbox statistics for 5 days
    And the engine ran
    When 8 days pass, and the engine runs on each
    Then the organization has no mailbox statistics older than 6 days
    And the organization has some mailbox statistics older than 3 days
    And the next retention is due in 24 hours

  Scenario: Traces go after the days that the organization sets
    Given traces are kept for 5 days
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the mailbox of "Ada" has a wrong password
    And the engine ran
    And 4 days passed without the engine
    When retention runs
    Then the organization has some traces older than 3 days
    When 2 days pass without the engine
    And retention runs
    Then the organization has no traces older than 5 days

  Scenario: A message that its server still lists is remembered, however old it is
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    And the deployment keeps messages that left their server for 10 days
    When 21 days pass, and the engine runs on each
    Then there is 1 email activity with the subject "Hello"
    And the ledger still knows the mail "Hello"
    And the mail "Hello" was retrieved once

  Scenario: A message that has left its server is forgotten in the end, and its activity stays
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Old"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "New"
    And the engine ran
    And the deployment keeps messages that left their server for 10 days
    And the server removes the mail "Old"
    When 8 days pass, and the engine runs on each
    Then the ledger still knows the mail "Old"
    When 5 days pass, and the engine runs on each
    Then the ledger no longer knows the mail "Old"
    And the ledger still knows the mail "New"
    And there is 1 email activity with the subject "Old"

  Scenario: A mailbox that rested for a year takes nothing in twice
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    And the deployment keeps messages that left their server for 10 days
    And the mailbox of "Ada" is deactivated
    And 365 days passed without the engine
    And 3 days passed, and the engine ran on each
    When the mailbox of "Ada" is activated
    And the mailbox of "Ada" is tested and enabled
    And the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Hello"
    And the mail "Hello" was retrieved once

  Scenario: The octets of a received message are kept for 30 days
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    And the octets of the mail "Hello" are kept
    When 28 days pass without the engine
    And retention runs
    Then the octets of the mail "Hello" are still kept
    When 3 days pass, and the engine runs on each
    Then the octets of the mail "Hello" are no longer kept
    And there is 1 email activity with the subject "Hello"

  Scenario: An email that was sent is not sent again when the ledger has forgotten it
    Given the contact "Carl Birch" with the address "carl@birch.test"
    And the deployment keeps emails that were sent for 3 days
    When "Ada" sends an email to "Carl Birch" with the subject "Offer"
    And the engine runs
    And 5 days pass, and the engine runs on each
    Then the ledger no longer knows the email "Offer"
    And the email "Offer" is sent
    And "carl@birch.test" received 1 mail with the subject "Offer"

  Scenario: The room is given back
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the database is vacuumed
    Then there is 1 email activity with the subject "Hello"
