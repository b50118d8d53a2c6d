Feature: Send later
  An email may name the time at which it is to leave. Until then it waits, and holds up no other.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: Not before its time
    When "Ada" sends an email to "Carl Birch" that is to leave in 120 minutes, with the subject "Reminder"
    And the engine runs
    And the engine runs again after 119 minutes
    Then the email "Reminder" is pending send
    And the email "Reminder" was tried 0 times
    When the engine runs again after 13 minutes
    Then the email "Reminder" is sent

  Scenario: Others go on
    When "Ada" sends an email to "Carl Birch" that is to leave in 120 minutes, with the subject "Reminder"
    And "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is sent
    And the email "Reminder" is pending send

  Scenario: It may be canceled until then
    When "Ada" sends an email to "Carl Birch" that is to leave in 120 minutes, with the subject "Reminder"
    And the email "Reminder" is canceled by "Ada"
    And the engine runs again after 180 minutes
    Then the email "Reminder" is canceled
    And "carl@birch.test" received 0 mails with the subject "Reminder"
