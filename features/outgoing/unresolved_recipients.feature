Feature: Recipients that nobody knows
  A recipient that is a bare address and no record is unresolved. Such an email is sent only where the organization allows it; the address is what counts.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"
    And "Ada" writes an email to "Carl Birch, stranger@else.test" with the subject "Order"

  Scenario: Refused by default
    When "Ada" sends the email "Order"
    Then it is refused because unresolved recipients: stranger@else.test
    And the email "Order" is draft

  Scenario: Sent where it is allowed
    Given unresolved recipients are allowed
    When "Ada" sends the email "Order"
    And the engine runs
    Then the email "Order" is sent
    And "stranger@else.test" received 1 mail with the subject "Order"
    And "carl@birch.test" received 1 mail with the subject "Order"
