Feature: The tracking token in the subject
  A token at the end of the subject lets an answer find its email even when every header was lost on the way: a prefix, one fixed digit, the number of
  the user and the number of the user's message: "CRM:0001000". Users are numbered when they first send, from the base on; message numbers wrap at the
  limit. When the subject would be too long for the mail server it is cut to make room; a token that does not fit at all is left out. Earlier
  prefixes are kept, so that answers to older mail still find it.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the user "Ben" with the address "ben@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: Each user counts by himself
    When "Ben" sends 2 emails with a tracking token to "Carl Birch" with the subject "Order"
    And "Ada" sends an email with a tracking token to "Carl Birch" with the subject "Offer"
    And the engine runs
    Then "carl@birch.test" received a mail with the subject "Order CRM:0001000"
    And "carl@birch.test" received a mail with the subject "Order CRM:0001001"
    And "carl@birch.test" received a mail with the subject "Offer CRM:0002000"

  Scenario Outline: The layout
    Given user numbers begin after <base> and have <digits> digits
    And tracking numbers go up to <limit>
    When "Ada" sends an email with a tracking token to "Carl Birch" with the subject "Order"
    Then the latest email of "Ada" has the tracking token "<token>"

    Examples:
      | base | digits | limit | token              |
      | 0    | 3      | 999   | CRM:0001000        |
      | 41   | 3      | 999   | CRM:0042000        |
      | 0    | 1      | 9     | CRM:010            |
      | 7    | 10     | 99999 | CRM:0000000000800000 |

  Scenario: The number of the message wraps
    Given tracking numbers go up to 2
    When "Ada" sends 4 emails with a tracking token to "Carl Birch" with the subject "Order"
    Then the latest email of "Ada" has the tracking token "CRM:00010"

  Scenario: A token got beforehand
    When "Ada" sends an email with a token got beforehand to "Carl Birch" with the subject "Order"
    And the engine runs
    Then "carl@birch.test" received a mail with the subject "Order CRM:0001000"

  Scenario: The subject is cut to make room
    Given subjects on the mail server have at most 20 characters
    When "Ada" sends an email with a tracking token to "Carl Birch" with the subject "A rather long order"
    And the engine runs
    Then "carl@birch.test" received a mail with the subject "A rather CRM:0001000"

  Scenario: A token that does not fit is left out
    Given subjects on the mail server have at most 11 characters
    When "Ada" sends an email with a tracking token to "Carl Birch" with the subject "A rather long order"
    And the engine runs
    Then "carl@birch.test" received a mail with the subject "A rather lo"
    And the latest email of "Ada" has the tracking token ""

  Scenario: Tokens are switched off
    Given tracking tokens are switched off
    When "Ada" sends an email with a tracking token to "Carl Birch" with the subject "Order"
    And the engine runs
    Then "carl@birch.test" received a mail with the subject "Order"
    And the latest email of "Ada" has the tracking token ""

  Scenario: A new prefix, and an answer to mail from before it
    When "Ada" sends an email with a tracking token to "Carl Birch" with the subject "Order"
    And the tracking prefix becomes "Case#"
    And "Ada" sends an email with a tracking token to "Carl Birch" with the subject "Offer"
    And the engine runs
    Then the latest email of "Ada" has the tracking token "Case#0001001"
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "RE: Order CRM:0001000"
    When the engine runs again after 15 minutes
    Then the email "RE: Order CRM:0001000" is correlated with the email "Order" by tracking token

  Scenario: A prefix is short
    When the tracking prefix becomes "a prefix of more than twenty characters"
    Then it is refused because trackingprefix: a tracking prefix has 1 to 20 characters
