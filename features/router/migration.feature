Feature: From the router to server-side synchronization nothing is dropped silently
  The original's wizard merged an incoming and an outgoing profile into one, and left custom ones out without a word. Here each provider of the file has an
  outcome before anything is written; what does not come along is named, with the reason and what to do. Writing the plan twice changes nothing.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And another routed user "Ben" with the address "ben@alder.test"

  Scenario Outline: An incoming and an outgoing provider become one profile, where there is a counterpart
    Given the original's file has "<incoming>" for "Ada" at "mail.alder.test"
    And the original's file has "<outgoing>" for "Ada" at "<server>"
    When the migration is planned
    Then both of "Ada" become "<outcome>"

    Examples:
      | incoming                     | outgoing                            | server                      | outcome           |
      | Pop3PollingMailboxProvider   | SmtpPollingSendEmailProvider        | mail.alder.test             | POP3/SMTP profile |
      | Exchange2010MailboxProvider  | SmtpPollingSendEmailProvider        | mail.alder.test             | Exchange profile  |
      | Exchange2003MailboxProvider  | SmtpPollingSendEmailProvider        | mail.alder.test             | not migrated      |

  Scenario: Those who differ in their account alone share a profile
    Given the original's file has "Pop3PollingMailboxProvider" for "Ada" at "mail.alder.test" with the account "ada@alder.test"
    And the original's file has "Pop3PollingMailboxProvider" for "Ben" at "mail.alder.test" with the account "ben@alder.test"
    When the migration is planned
    Then the plan has 1 profile and 2 mailboxes

  Scenario: A custom provider is named, with what to do
    Given the original's file has "Contoso.Feeds.RssProvider" for "Ada" at "feeds.alder.test"
    And the original's file has "Pop3PollingMailboxProvider" for "Ben" at "mail.alder.test"
    When the migration is planned
    Then the plan names the custom provider "Contoso.Feeds.RssProvider"
    And the plan says of "Contoso.Feeds.RssProvider" "server-side synchronization runs none"
    And the plan has 1 profile and 2 mailboxes

  Scenario: Whoever serves nobody, or somebody unknown, has an outcome too
    Given the original's file has "Pop3PollingMailboxProvider" for nobody at "mail.alder.test"
    And the original's file has "SmtpPollingSendEmailProvider" for somebody who left at "mail.alder.test"
    When the migration is planned
    Then each of the 2 providers has an outcome
    And the plan says of "Pop3PollingMailboxProvider" "it serves no user and no queue"
    And the plan says of "SmtpPollingSendEmailProvider" "the organization has no such record"

  Scenario: Two that serve the same mailbox are not merged by chance
    Given the original's file has "Pop3PollingMailboxProvider" for "Ada" at "one.alder.test"
    And the original's file has "Pop3PollingMailboxProvider" for "Ada" at "two.alder.test"
    When the migration is planned
    Then the plan says of "Pop3PollingMailboxProvider" "2 inbound providers serve it"
    And the plan has 0 profiles and 1 mailbox

  Scenario: The threshold becomes the moment from which on mail is taken in
    Given the original's file has "Pop3PollingMailboxProvider" for "Ada" at "mail.alder.test"
    And the original's file has "Pop3PollingMailboxProvider" for "Ben" at "mail.alder.test"
    And the files to migrate say that "ada@alder.test" stood 10 days ago
    When the migration is planned
    Then the mailbox of "Ada" is to take in mail from 10 days ago on
    And the mailbox of "Ben" is to take in mail from 0 days ago on

  Scenario: The plan is written once, and ends the router when that is asked for
    Given the original's file has "Pop3PollingMailboxProvider" for "Ada" at "mail.alder.test" with the account "ada@alder.test"
    And the original's file has "SmtpPollingSendEmailProvider" for "Ada" at "mail.alder.test" with the account "ada@alder.test"
    When the migration is planned
    And the plan is written
    Then 2 of the plan's changes were written, 0 refused
    When the plan is written
    Then 0 of the plan's changes were written, 0 refused
    When the plan is written and the organization leaves the router
    Then 1 of the plan's changes were written, 0 refused

  Scenario: No password is shown
    Given the original's file has "Pop3PollingMailboxProvider" for "Ada" at "mail.alder.test" with the account "ada@alder.test"
    When the migration is planned
    Then the plan shows no password
