Feature: Mail goes out over SMTP
  An email is handed over in three steps, each of which is written down first: claimed, being submitted, reported. What the server has to say before the final dot
  decides nothing: the email is simply tried again. When the connection is lost after the dot, nobody can know whether the server took it; then the email
  is uncertain, a person decides, and it is never sent again blindly.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario: A sent email reaches its recipient once
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    Then the email "Your order" is sent
    And "carl@birch.test" received 1 mail with the subject "Your order"

  Scenario Outline: A connection lost before the final dot is simply tried again
    Given the server drops the connection at the first "<step>"
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    And the engine runs again after 15 minutes
    Then the email "Your order" is sent
    And "carl@birch.test" received 1 mail with the subject "Your order"

    Examples:
      | step |
      | MAIL |
      | RCPT |
      | DATA |

  Scenario: The answer to the final dot is lost
    Given the server takes the first message but its answer is lost
    When "Ada" sends an email to "Carl Birch" with the subject "Your order"
    And the engine runs
    Then the email "Your order" is uncertain
    When the engine runs again after 15 minutes
    Then the email "Your order" is uncertain
    And "carl@birch.test" received 1 mail with the subject "Your order"

  Scenario: Blind copies are in the envelope and in no header
    When "Ada" sends an email to "Carl Birch" with a blind copy to "boss@else.test" and the subject "Your order"
    And the engine runs
    Then "boss@else.test" received 1 mail with the subject "Your order"
    And no header of the mail "Your order" names "boss@else.test"
