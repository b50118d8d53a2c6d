Feature: Why a message was not tracked
  Nobody has to guess why a message did not become an activity. Of each that was refused the head is kept: who sent it, whom it was for, what it
  answered. When somebody asks, the rule that decided is named with what it saw, and with the settings that bear on it as they are now.
  Where one setting alone would have let the message in, its value is named too. `postroom mail explain` shows all of it.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks email messages in response to our own

  Scenario: A stranger's mail, and the filter that refused it
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" is explained as "filtered: no filter of those it is for takes it, and it answers nothing that is stored"
    And its explanation says "carl@birch.test: no record has the address" of "sender"
    And its explanation says "it would still be refused: no correlation match" of today
    And its explanation names the setting "incomingemailfilteringmethod"

  Scenario: The setting that is named is the one that decides
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the settings that the explanation of "Hello" names are changed
    Then the explanation of "Hello" says "it would be tracked: accept all; what was filtered is not offered again by itself" of today

  Scenario: Records of today are what counts today
    Given "Ada" tracks email messages from leads, contacts, accounts
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    And the contact "Carl" with the address "carl@birch.test"
    Then the explanation of "Hello" says "it would be tracked: sender match; what was filtered is not offered again by itself" of today

  Scenario: Mail that names nobody here
    Given a mail from "carl@birch.test" to "everyone@cedar.test" reaches "ada@alder.test" with the subject "To all"
    When the engine runs
    Then the mail "To all" is explained as "filtered: none of its To and Cc addresses is a user's or queue's here"
    And its explanation says "everyone@cedar.test: no user or queue here" of "recipient 1"

  Scenario: Mail that was tracked
    Given "Ada" tracks all email messages
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" is explained as "tracked: a recipient's filter takes all mail"
    And its explanation says "it is stored" of today
