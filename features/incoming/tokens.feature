Feature: Tracking tokens in subjects
  A token such as CRM:0001001 at the end of a subject brings every answer home, whatever the mail programs on the way did to the headers. Tokens of
  earlier prefixes and other numbers of digits go on working.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks email messages in response to our own
    And the contact "Carl" with the address "carl@birch.test"
    And "Ada" sent an email with a token to "Carl" with the subject "Order"

  Scenario Outline: An answer with the token
    When "carl@birch.test" answers "Order" to "ada@alder.test" with the subject "<subject>" and no headers
    And the engine runs again after 15 minutes
    Then the email "<stored>" was correlated by its token
    And the email "<stored>" belongs to the email "Order"

    Examples:
      | subject                       | stored                        |
      | RE: Order (token)             | RE: Order CRM:0001000         |
      | (token)                       | CRM:0001000                   |
      | see (token), please           | see CRM:0001000, please       |
      | crm:0001000                   | crm:0001000                   |
      | (token) theirs is CRM:0999999 | CRM:0001000 theirs is CRM:0999999 |

  Scenario: A token that no email has
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "RE: Order CRM:0999999"
    When the engine runs again after 15 minutes
    Then the mail "RE: Order CRM:0999999" was filtered as "no correlation match"

  Scenario: After the prefix was changed
    When the tracking prefix becomes "ALD:"
    And "carl@birch.test" answers "Order" to "ada@alder.test" with the subject "RE: Order (token)" and no headers
    And the engine runs again after 15 minutes
    Then the email "RE: Order CRM:0001000" was correlated by its token

  Scenario: After the digits were changed
    When user numbers in tokens get 5 digits
    And "carl@birch.test" answers "Order" to "ada@alder.test" with the subject "RE: Order (token)" and no headers
    And the engine runs again after 15 minutes
    Then the email "RE: Order CRM:0001000" was correlated by its token

  Scenario: Of two tokens the last
    When "Ada" sends an email with a token to "Carl" with the subject "Invoice"
    And "carl@birch.test" answers "Invoice" to "ada@alder.test" with the subject "CRM:0001000 and (token)" and no headers
    And the engine runs again after 15 minutes
    Then the email "CRM:0001000 and CRM:0001001" belongs to the email "Invoice"
