Feature: Mail to many
  A template goes to many recipients as one email each: each has its own activity, waits as Pending Send and is sent, retried or refused like any other. Who has no
  address, or is not to be written to in bulk, is left out.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"
    And the contact "Dora Cedar" with the address "dora@cedar.test"
    And the template "News" with the subject "News for {!contact:fullname;you}" and the text "<p>Dear {!contact:fullname;customer}</p>"

  Scenario: One activity for each recipient
    When "Ada" sends the template "News" to all contacts
    Then there are 2 outgoing emails, all pending send
    When the engine runs
    Then the email "News for Carl Birch" is sent
    And the email "News for Dora Cedar" is sent
    And "carl@birch.test" received 1 mail with the subject "News for Carl Birch"
    And "dora@cedar.test" received 1 mail with the subject "News for Dora Cedar"

  Scenario: Who is not to be written to in bulk
    Given "Dora Cedar" is not to be written to in bulk
    When "Ada" sends the template "News" to all contacts
    Then there are 1 outgoing emails, all pending send

  Scenario: One refusal takes no other along
    Given the SMTP server refuses "dora@cedar.test" with "550 5.1.1 no such user"
    When "Ada" sends the template "News" to all contacts
    And the engine runs
    Then the email "News for Carl Birch" is sent
    And the email "News for Dora Cedar" has failed
