Feature: What is written down of a mail
  The activity is received and completed, and says what the mail said. Files that the organization does not take are left out, and the email says so;
  the mail itself is never refused for them. Mail for a queue enters the queue.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages

  Scenario: A mail becomes an email activity with its parties
    Given the contact "Carl Birch" with the address "carl@birch.test"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "An order"
    When the engine runs
    Then the mail "An order" became an email activity
    And the email "An order" is received, from the contact "Carl Birch", to the user "Ada"

  Scenario: Senders and recipients nobody knows stay unresolved
    Given a mail from "stranger@else.test" to "ada@alder.test, nobody@else.test" with the subject "Hello"
    When the engine runs
    Then the email "Hello" has the unresolved sender "stranger@else.test"
    And the email "Hello" has the unresolved recipient "nobody@else.test"

  Scenario Outline: The columns of the activity
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello" and the field "<field>"
    When the engine runs
    Then the mail "Hello" became an email activity
    And the email "Hello" has the <attribute> "<value>"

    Examples:
      | field                        | attribute         | value             |
      | Importance: high             | prioritycode      | 2                 |
      | Importance: low              | prioritycode      | 0                 |
      | X-Nothing: 1                 | prioritycode      | 1                 |
      | Message-ID: <7@birch.test>   | messageid         | <7@birch.test>    |
      | In-Reply-To: <6@birch.test>  | inreplyto         | <6@birch.test>    |
      | Thread-Index: AQHXk0V3       | conversationindex | AQHXk0V3          |
      | X-Nothing: 1                 | directioncode     | no                |
      | X-Nothing: 1                 | sender            | carl@birch.test   |
      | X-Nothing: 1                 | torecipients      | ada@alder.test    |
      | X-Nothing: 1                 | submittedby       | ada@alder.test    |
      | X-Nothing: 1                 | attachmentcount   | 0                 |
      | X-Nothing: 1                 | correlationmethod | 0                 |

  Scenario: Files are kept
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Plans" and the files "plan.txt, plan.pdf"
    When the engine runs
    Then the email "Plans" has the files "plan.txt, plan.pdf"
    And the email "Plans" says that nothing is missing

  Scenario: Files of blocked kinds are left out
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Plans" and the files "plan.txt, setup.exe, RUN.BAT"
    When the engine runs
    Then the email "Plans" has the file "plan.txt"
    And the email "Plans" says that a file is missing

  Scenario: Which kinds, the organization says
    Given attachments with the extensions "pdf" are blocked
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Plans" and the files "plan.pdf, setup.exe"
    When the engine runs
    Then the email "Plans" has the file "setup.exe"

  Scenario: Files that are too large are left out
    Given attachments may have 8 octets
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Plans" and the files "plan.txt, plan-2.txt"
    When the engine runs
    Then the email "Plans" has the file "plan.txt"
    And the email "Plans" says that a file is missing

  Scenario Outline: Mail for queues enters them, as the switches say
    Given the setting "CreateQueueItemsForAcceptingQueueRecipients" is <recipients>
    And the setting "CreateQueueItemForSynchronizingMailbox" is <synchronizing>
    And the queue "Support" with the address "support@alder.test", ready to send and receive
    And the queue "Sales" with the address "sales@alder.test", served by server-side synchronization
    And a mail from "carl@birch.test" to "sales@alder.test" reaches "support@alder.test" with the subject "Help"
    When the engine runs
    Then the email "Help" is in <queues>

    Examples:
      | recipients | synchronizing | queues                       |
      | on         | off           | the queue "Sales"            |
      | off        | on            | the queue "Support"          |
      | on         | on            | the queues "Sales, Support"  |
      | off        | off           | no queue                     |

  Scenario: Deleting the activity leaves the mail where it is, and it is not taken in again
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And the engine ran
    When the email activity "Hello" is deleted
    And the engine runs again after 15 minutes
    Then there is 0 email activity with the subject "Hello"
    And the mail "Hello" is still on the server
