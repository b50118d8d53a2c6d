Feature: Smart matching
  Where neither headers nor token came through, an answer can still be known by the words of its subject and by the people it concerns. Smart matching is
  off in a new organization. It needs the same words, without the RE: and FW: that mail programs put before them, and two people in common; both
  numbers are settings. What two emails have in common is compared as numbers first, and then word by word.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the contact "Carl" with the address "carl@birch.test"

  Scenario Outline: The words of the subject
    Given smart matching is on
    And "Ada" sent an email to "Carl" with the subject "The broken lamp"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "<subject>"
    When the engine runs again after 15 minutes
    Then the email "<subject>" was correlated by <how>

    Examples:
      | subject                        | how            |
      | RE: The broken lamp            | smart matching |
      | AW: FW: the BROKEN lamp        | smart matching |
      | Out of office: The broken lamp | nothing        |
      | RE: The broken bowl            | nothing        |
      | RE: The lamp                   | nothing        |

  Scenario: It is off unless it is switched on
    Given "Ada" sent an email to "Carl" with the subject "The broken lamp"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "RE: The broken lamp"
    When the engine runs again after 15 minutes
    Then the email "RE: The broken lamp" was correlated by nothing

  Scenario: Two people in common
    Given smart matching is on
    And "Ada" sent an email to "Carl" with the subject "The broken lamp"
    And a mail from "eve@fir.test" to "ada@alder.test" with the subject "RE: The broken lamp"
    When the engine runs again after 15 minutes
    Then the email "RE: The broken lamp" was correlated by nothing

  Scenario: Or as many as the setting says
    Given smart matching is on
    And 1 common addresses are needed for smart matching
    And "Ada" sent an email to "Carl" with the subject "The broken lamp"
    And a mail from "eve@fir.test" to "ada@alder.test" with the subject "RE: The broken lamp"
    When the engine runs again after 15 minutes
    Then the email "RE: The broken lamp" was correlated by smart matching

  Scenario: A word more, where the setting allows one
    Given smart matching is on
    And subjects may differ by 1 word in smart matching
    And "Ada" sent an email to "Carl" with the subject "The broken lamp"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "RE: The broken lamp again"
    When the engine runs again after 15 minutes
    Then the email "RE: The broken lamp again" was correlated by smart matching
