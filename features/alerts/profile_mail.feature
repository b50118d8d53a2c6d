Feature: A mail to the owner of a failing profile
  Where a profile wants it, its owner gets a mail when more than half of its mailboxes failed within one hour, and at most one an hour. It is an ordinary
  email of the organization, from a mailbox that can send.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the user "Ben" with the address "ben@alder.test", ready to send and receive
    And an email server profile "Other mail"
    And "Other mail" is the default profile
    And the user "Boss" with the address "boss@alder.test", ready to send and receive
    And "Boss" owns the profile "Alder mail" and wants a mail when its mailboxes fail

  Scenario: More than half of them
    Given the log-in of "Ada" and "Ben" fails for now
    When the engine runs again after 15 minutes
    Then there is an error alert "ProfileMailboxesFailing" for "Alder mail"
    And "boss@alder.test" received a mail with the subject "Mailboxes of the email server profile Alder mail fail"

  Scenario: Half of them is not more than half
    Given the log-in of "Ada" fails for now
    When the engine runs again after 15 minutes
    Then "boss@alder.test" received 0 mails with the subject "Mailboxes of the email server profile Alder mail fail"

  Scenario: Once an hour
    Given the log-in of "Ada" and "Ben" fails for now
    When the engine runs 3 times, every 15 minutes
    Then "boss@alder.test" received a mail with the subject "Mailboxes of the email server profile Alder mail fail"
    When the engine runs 3 times, every 15 minutes
    Then "boss@alder.test" received 2 mails with the subject "Mailboxes of the email server profile Alder mail fail"

  Scenario: Only where the profile wants it
    Given the profile "Alder mail" has the sendemailalert "off"
    And the log-in of "Ada" and "Ben" fails for now
    When the engine runs again after 15 minutes
    Then "boss@alder.test" received 0 mails with the subject "Mailboxes of the email server profile Alder mail fail"
