Feature: Mail comes in over POP3
  POP3 knows no "read": a program has to remember by itself what it has seen, by the name (UIDL) that the server gives each message. The engine remembers, and
  knows a message again when the server renames it or a connection is cut. What it deletes is gone only when the session ends in order, and is deleted only after
  the activity is safely stored.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages

  Scenario: A second poll takes nothing in twice
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the engine runs again after 15 minutes
    Then there is 1 email activity with the subject "Hello"
    And the mail "Hello" was retrieved once

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

  Scenario: A deletion that the server never carried out
    Given the queue "Support" with the address "support@alder.test", ready to send and receive
    And emails of "Support" are deleted after processing
    And the engine ran
    And the server drops the connection at every "QUIT"
    And a mail from "carl@birch.test" to "support@alder.test" with the subject "Help"
    When the engine runs again after 15 minutes
    Then the mail "Help" became an email activity
    And the mail "Help" is still on the server
    When the server is well again
    And the engine runs again after 15 minutes
    Then the mail "Help" is gone from the server
    And there is 1 email activity with the subject "Help"
