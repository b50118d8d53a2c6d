Feature: Refused for now, refused for good
  What the server answers decides: a 4yz answer means later, a 5yz answer to an email means never for this email, and 530, 534 and 535 are about the
  mailbox: its sending is switched off, and its email waits. Each try of an email is counted, and when the attempts are used up the email has failed. Trouble
  of the connection or the log-in is not counted against the email. A failure is told in an alert and takes no other email along.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"

  Scenario Outline: An answer to the email
    Given the SMTP server answers "<step>" with "<answer>"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" has the state <state> and the status <status>
    And the email "Order" was tried 1 time
    And the mailbox of "Ada" is enabled for outgoing email
    And "Ada" is told of <alerts> "EmailNotSent"

    Examples:
      | step | answer                        | state | status | alerts |
      | MAIL | 451 4.3.0 later               | 1     | 6      | 0      |
      | RCPT | 450 4.2.1 busy                | 1     | 6      | 0      |
      | RCPT | 452 4.2.2 full                | 1     | 6      | 0      |
      | DATA | 451 4.3.0 later               | 1     | 6      | 0      |
      | TEXT | 452 4.3.1 no room             | 1     | 6      | 0      |
      | MAIL | 553 5.1.7 no such sender      | 0     | 8      | 1      |
      | RCPT | 550 5.1.1 no such user        | 0     | 8      | 1      |
      | DATA | 554 5.5.1 no                  | 0     | 8      | 1      |
      | TEXT | 552 5.3.4 too large           | 0     | 8      | 1      |

  Scenario Outline: An answer about the mailbox
    Given the SMTP server answers "<step>" with "<answer>"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    And the email "Order" was tried 0 times
    And the mailbox of "Ada" is <enabled> for outgoing email

    Examples:
      | step | answer                             | enabled     |
      | AUTH | 535 5.7.8 wrong credentials        | not enabled |
      | AUTH | 534 5.7.9 too weak                 | not enabled |
      | MAIL | 530 5.7.0 log in first             | not enabled |
      | AUTH | 454 4.7.0 temporary failure        | enabled     |
      | EHLO | 421 4.3.2 closing down             | enabled     |

  Scenario: Refused for now, taken later
    Given the SMTP server answers "RCPT" with "451 4.3.0 later" once
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    Then the email "Order" is pending send
    When the engine runs again after 4 minutes
    Then the email "Order" was tried 1 time
    When the engine runs again after 15 minutes
    Then the email "Order" is sent
    And the email "Order" was tried 2 times
    And the Message-ID of the mail "Order" to "carl@birch.test" is the one of its email

  Scenario: The attempts are used up
    Given the SMTP server answers "RCPT" with "451 4.3.0 never"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And the engine runs
    And the engine runs 8 more times, 15 minutes apart
    Then the email "Order" is pending send
    And the email "Order" was tried 9 times
    When the engine runs again after 15 minutes
    Then the email "Order" has failed
    And the email "Order" was tried 10 times
    And "Ada" is told of 1 "EmailNotSent"

  Scenario: A refused email takes no other along
    Given the contact "Dora Cedar" with the address "dora@cedar.test"
    And the SMTP server refuses "carl@birch.test" with "550 5.1.1 no such user"
    When "Ada" sends an email to "Carl Birch" with the subject "Order"
    And "Ada" sends an email to "Dora Cedar" with the subject "Offer"
    And the engine runs
    Then the email "Order" has failed
    And the email "Offer" is sent

  Scenario: A bounce changes nothing
    When "Ada" sends an email with a tracking token to "Carl Birch" with the subject "Order"
    And the engine runs
    Given "Ada" tracks all email messages
    And a mail from "mailer-daemon@birch.test" to "ada@alder.test" with the subject "Undelivered: Order CRM:0001000"
    When the engine runs again after 15 minutes
    Then the email "Undelivered: Order CRM:0001000" is correlated with the email "Order" by tracking token
    And the email "Order" has the state 1 and the status 3
