Feature: Mail comes in over POP3
  A mailbox with a POP3 profile is polled. Each message is judged, and becomes an email activity or is filtered with a reason. The engine remembers what it
  has seen, so that nothing is taken in twice, and deletes at the server only where that is wanted, and only after the
  activity is safely stored.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages

  Scenario: A mail becomes an email activity with its parties
    Given the contact "Carl Birch" with the address "carl@birch.test"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "An order"
    When the engine runs
    Then the mail "An order" became an email activity
    And the email "An order" is received, from the contact "Carl Birch", to the user "Ada"

  Scenario: Senders and recipients nobody knows stay unresolved
    Given a mail from "stranger@else.test" to "ada@alder.test, nobody@else.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" has the unresolved sender "stranger@else.test"
    And the email "Hello" has the unresolved recipient "nobody@else.test"

  Scenario: A second poll takes nothing in twice
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Hello"
    And the mail "Hello" was retrieved once

  Scenario: One message for two colleagues is one activity
    Given the user "Ben" with the address "ben@alder.test", ready to send and receive
    And a mail from "carl@birch.test" to "ada@alder.test, ben@alder.test" with the subject "To both"
    When the engine runs
    Then there is 1 email activity with the subject "To both"
    And the other copy of "To both" was filtered as "duplicate"

  Scenario Outline: The owner's filter decides
    Given the contact "Carl Birch" with the address "carl@birch.test"
    And "Ada" tracks <filter>
    And a mail from "<sender>" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" <outcome>

    Examples:
      | filter                                         | sender             | outcome                                   |
      | all email messages                             | stranger@else.test | became an email activity                  |
      | email messages in response to our own          | carl@birch.test    | was filtered as "no correlation match"    |
      | email messages from leads, contacts, accounts  | carl@birch.test    | became an email activity                  |
      | email messages from leads, contacts, accounts  | stranger@else.test | was filtered as "no correlation match"    |
      | email messages from email-enabled records      | carl@birch.test    | became an email activity                  |
      | email messages from email-enabled records      | stranger@else.test | was filtered as "no correlation match"    |
      | no email messages                              | carl@birch.test    | was filtered as "no correlation match"    |

  Scenario: A mail to nobody in the organization is filtered
    Given "Ada" tracks email messages from leads, contacts, accounts
    And a mail from "carl@birch.test" to "list@else.test" reaches "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" was filtered as "no recipient match"

  Scenario: A mail without a sender is filtered
    Given a mail without a sender to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" was filtered as "invalid sender"

  Scenario: Nothing is deleted at the server unless it is wanted
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" is still on the server

  Scenario: A queue's mail is deleted after processing when its mailbox says so
    Given the queue "Support" with the address "support@alder.test", ready to send and receive
    And emails of "Support" are deleted after processing
    And a mail from "carl@birch.test" to "support@alder.test" with the subject "Help"
    When the engine runs
    Then the mail "Help" became an email activity
    And the mail "Help" is gone from the server

  Scenario: A connection cut before the end loses nothing and doubles nothing
    Given the server cuts the first "RETR" after 100 octets
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    And the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Hello"

  Scenario: The server gives every message a new UIDL
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the server gives every message a new UIDL
    And the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Hello"
