Feature: Tracking a mail by hand
  What the filters leave alone somebody may still track, from their own client: Track in CRM. No filter is asked. The rest is as for mail that comes in by
  itself: parties are resolved, correlation finds what it is about unless the person says so, and one Message-ID becomes one activity, whichever way it
  came first. A mail of one's own that is tracked becomes an outgoing email that is Sent.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks no email messages
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: Whatever the filter says
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Question"
    When the engine runs
    Then the mail "Question" was filtered as "no correlation match"
    And the mail "Question" of "Ada" may be tracked by hand
    When "Ada" tracks the mail "Question" by hand
    Then the email "Question" is received, from the contact "Carl Birch", to the user "Ada"
    And the mail "Question" of "Ada" may not be tracked by hand

  Scenario: Regarding a record
    Given a mail from "stranger@else.test" to "ada@alder.test" with the subject "Question"
    When "Ada" tracks the mail "Question" by hand, regarding "Carl Birch"
    Then the email "Question" is regarding "Carl Birch"

  Scenario: Tracked by hand first, seen by the engine later
    Given "Ada" tracks all email messages
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Question"
    When "Ada" tracks the mail "Question" by hand
    And the engine runs
    Then there is 1 email activity with the subject "Question"

  Scenario: Tracked twice
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Question"
    When "Ada" tracks the mail "Question" by hand
    And "Ada" tracks the mail "Question" by hand
    Then there is 1 email activity with the subject "Question"

  Scenario: A mail of one's own
    Given a mail from "ada@alder.test" to "carl@birch.test" with the subject "Answer"
    When "Ada" tracks by hand the mail "Answer" that reached "carl@birch.test"
    Then the email "Answer" is sent

  Scenario Outline: Messages that are not done say so
    When somebody asks for the message "<message>"
    Then it is refused because <reason>

    Examples:
      | message             | reason                                |
      | ProcessInboundEmail | ProcessInboundEmail is not supported  |
      | SendFax             | SendFax is not supported              |
      | GrantAccess         | GrantAccess is not supported          |
      | SendMail            | there is no message 'SendMail'        |
