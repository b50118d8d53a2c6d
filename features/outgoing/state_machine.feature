Feature: The states of an outgoing email
  An email begins as a draft, waits as Pending Send when it is sent, is Sending while a run has it, and ends as Sent or Failed. A draft may also be
  canceled, or marked complete when somebody sent it by other means. Pending Send and Sending belong to the state Completed: the email is
  read-only. Failed is open again: edited it is a draft, and it may be sent again. Whatever is not listed here is refused and changes nothing.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario Outline: The published numbers
    Given the email "Order" of "Ada" to "Carl Birch" is <status>
    Then the email "Order" has the state <state> and the status <code>

    Examples:
      | status       | state | code |
      | draft        | 0     | 1    |
      | failed       | 0     | 8    |
      | completed    | 1     | 2    |
      | sent         | 1     | 3    |
      | received     | 1     | 4    |
      | pending send | 1     | 6    |
      | sending      | 1     | 7    |
      | canceled     | 2     | 5    |

  Scenario Outline: What may be done
    Given the email "Order" of "Ada" to "Carl Birch" is <status>
    When the email "Order" is <action> by "Ada"
    Then that is done
    And the email "Order" has the state <state> and the status <code>

    Examples:
      | status       | action                | state | code |
      | draft        | sent                  | 1     | 6    |
      | draft        | only recorded as sent | 1     | 3    |
      | draft        | edited                | 0     | 1    |
      | draft        | canceled              | 2     | 5    |
      | draft        | marked complete       | 1     | 2    |
      | pending send | canceled              | 2     | 5    |
      | failed       | sent                  | 1     | 6    |
      | failed       | only recorded as sent | 1     | 3    |
      | failed       | edited                | 0     | 1    |
      | failed       | canceled              | 2     | 5    |

  Scenario Outline: What is refused
    Given the email "Order" of "Ada" to "Carl Birch" is <status>
    When the email "Order" is <action> by "Ada"
    Then that is refused
    And the email "Order" has the state <state> and the status <code>

    Examples:
      | status       | action                | state | code |
      | pending send | sent                  | 1     | 6    |
      | pending send | only recorded as sent | 1     | 6    |
      | pending send | edited                | 1     | 6    |
      | pending send | marked complete       | 1     | 6    |
      | sending      | sent                  | 1     | 7    |
      | sending      | only recorded as sent | 1     | 7    |
      | sending      | edited                | 1     | 7    |
      | sending      | canceled              | 1     | 7    |
      | sending      | marked complete       | 1     | 7    |
      | sending      | deleted               | 1     | 7    |
      | sent         | sent                  | 1     | 3    |
      | sent         | edited                | 1     | 3    |
      | sent         | canceled              | 1     | 3    |
      | sent         | marked complete       | 1     | 3    |
      | failed       | marked complete       | 0     | 8    |
      | completed    | sent                  | 1     | 2    |
      | completed    | edited                | 1     | 2    |
      | completed    | canceled              | 1     | 2    |
      | canceled     | sent                  | 2     | 5    |
      | canceled     | edited                | 2     | 5    |
      | canceled     | canceled              | 2     | 5    |
      | received     | sent                  | 1     | 4    |
      | received     | edited                | 1     | 4    |
      | received     | canceled              | 1     | 4    |

  Scenario: From draft to sent
    Given "Ada" writes an email to "Carl Birch" with the subject "Order"
    When "Ada" sends the email "Order"
    Then the email "Order" is pending send
    When the engine runs
    Then the email "Order" is sent
    And "carl@birch.test" received 1 mail with the subject "Order"

  Scenario: A canceled email is never sent
    Given the email "Order" of "Ada" to "Carl Birch" is pending send
    When the email "Order" is canceled by "Ada"
    And the engine runs
    Then "carl@birch.test" received 0 mails with the subject "Order"

  Scenario: A failed email is edited and sent again, as the same message
    Given the email "Order" of "Ada" to "Carl Birch" is failed
    When the email "Order" is edited by "Ada"
    And "Ada" sends the email "Order" again
    And the engine runs again after 15 minutes
    Then the email "Order" is sent
    And the email "Order" was tried 1 time
    And the Message-ID of the mail "Order" to "carl@birch.test" is the one of its email
