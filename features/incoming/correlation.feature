Feature: Answers belong to the email they answer
  An answer gets what the email it answers is about. It is known by the Message-ID it names, by the tracking token in its subject, by its conversation,
  or, where that is switched on, by the words of its subject and the people it concerns. The first of these that finds an email decides; of several
  emails the most recent one.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the contact "Carl" with the address "carl@birch.test"

  Scenario: By the Message-ID it answers
    Given "Ada" sent an email to "Carl" about the incident "Broken lamp" with the subject "Your lamp"
    When "carl@birch.test" answers "Your lamp" to "ada@alder.test" with the subject "Thanks" and In-Reply-To
    And the engine runs again after 15 minutes
    Then the email "Thanks" was correlated by its In-Reply-To
    And the email "Thanks" belongs to the email "Your lamp", its parent
    And the email "Thanks" is about "Broken lamp"

  Scenario: By our own header, for programs that send it back
    Given "Ada" sent an email to "Carl" with the subject "Your lamp"
    When "carl@birch.test" answers "Your lamp" to "ada@alder.test" with the subject "Away" and our own header
    And the engine runs again after 15 minutes
    Then the email "Away" was correlated by our own header
    And the email "Away" belongs to the email "Your lamp"

  Scenario: By its conversation
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Lamp" and the field "Thread-Index: AQIDBAUGBwgJCgsMDQ4PEBESExQVFg=="
    And the engine ran
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "More" and the field "Thread-Index: AQIDBAUGBwgJCgsMDQ4PEBESExQVFgECAwQF"
    When the engine runs again after 15 minutes
    Then the email "More" was correlated by its conversation
    And the email "More" belongs to the email "Lamp", its parent

  Scenario: References do not count
    Given "Ada" sent an email to "Carl" with the subject "Your lamp"
    When "carl@birch.test" answers "Your lamp" to "ada@alder.test" with the subject "Thanks" and References
    And the engine runs again after 15 minutes
    Then the email "Thanks" was correlated by nothing

  Scenario: Unless a switch of ours says so
    Given the setting "PostroomUseReferencesForCorrelation" is on
    And "Ada" sent an email to "Carl" with the subject "Your lamp"
    When "carl@birch.test" answers "Your lamp" to "ada@alder.test" with the subject "Thanks" and References
    And the engine runs again after 15 minutes
    Then the email "Thanks" was correlated by its In-Reply-To

  Scenario Outline: Correlation by headers can be switched off
    Given <switch>
    And "Ada" sent an email to "Carl" with the subject "Your lamp"
    When "carl@birch.test" answers "Your lamp" to "ada@alder.test" with the subject "Thanks" and In-Reply-To
    And the engine runs again after 15 minutes
    Then the email "Thanks" was correlated by nothing

    Examples:
      | switch                                                                     |
      | correlation by headers is off                                              |
      | the setting "IgnoreConversationIndexAndInReplyToForCorrelation" is on      |

  Scenario: When no way is left, correlation is skipped
    Given correlation by headers is off
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the tracking prefix becomes ""
    And the engine runs
    Then the email "Hello" was correlated by nothing, without looking

  Scenario: The header goes before the token
    Given "Ada" sent an email with a token to "Carl" with the subject "One"
    And "Ada" sent an email to "Carl" with the subject "Two"
    When "carl@birch.test" answers "Two" to "ada@alder.test" with the subject "RE: One CRM:0001000" and In-Reply-To
    And the engine runs again after 15 minutes
    Then the email "RE: One CRM:0001000" belongs to the email "Two", its parent
