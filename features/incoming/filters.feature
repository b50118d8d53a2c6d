Feature: Which mail becomes an email activity
  Each user and each queue chooses which mail is tracked: all of it, answers to email of the organization, mail from leads, contacts and accounts, mail
  from anybody on record, or none. A mail is offered once, in whatever mailbox it is found; every user and queue it is addressed to is asked, and the
  first one that wants it accepts it. Mail without a usable sender, and mail that is addressed to nobody in the organization, is not asked about at all.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the contact "Carl" with the address "carl@birch.test"
    And the lead "Lena" with the address "lena@birch.test"
    And the account "Birch" with the address "office@birch.test"
    And the user "Ben" with the address "ben@alder.test", served by server-side synchronization

  Scenario Outline: What each filter accepts
    Given "Ada" tracks <filter>
    And a mail from "<sender>" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" <outcome>

    Examples:
      | filter                                        | sender             | outcome                                |
      | all email messages                            | stranger@else.test | became an email activity               |
      | email messages in response to our own         | carl@birch.test    | was filtered as "no correlation match" |
      | email messages from leads, contacts, accounts | carl@birch.test    | became an email activity               |
      | email messages from leads, contacts, accounts | lena@birch.test    | became an email activity               |
      | email messages from leads, contacts, accounts | office@birch.test  | became an email activity               |
      | email messages from leads, contacts, accounts | ben@alder.test     | was filtered as "no correlation match" |
      | email messages from leads, contacts, accounts | stranger@else.test | was filtered as "no correlation match" |
      | email messages from email-enabled records     | ben@alder.test     | became an email activity               |
      | email messages from email-enabled records     | stranger@else.test | was filtered as "no correlation match" |
      | no email messages                             | carl@birch.test    | was filtered as "no correlation match" |

  Scenario Outline: An answer to email of the organization passes every filter but the last
    Given "Ada" tracks <filter>
    And "Ada" sent an email to "stranger@else.test" with the subject "Offer"
    When "stranger@else.test" answers "Offer" to "ada@alder.test" with the subject "Yes" and In-Reply-To
    And the engine runs again after 15 minutes
    Then the mail "Yes" <outcome>

    Examples:
      | filter                                        | outcome                                |
      | email messages in response to our own         | became an email activity               |
      | email messages from leads, contacts, accounts | became an email activity               |
      | email messages from email-enabled records     | became an email activity               |
      | no email messages                             | was filtered as "no correlation match" |

  Scenario: Every user among the recipients is asked, in whichever mailbox the mail is found
    Given "Ada" tracks no email messages
    And "Ben" tracks all email messages
    And a mail from "stranger@else.test" to "ada@alder.test, ben@alder.test" reaches "ada@alder.test" with the subject "To both"
    When the engine runs
    Then the mail "To both" became an email activity
    And the email "To both" was accepted by "Ben" in the mailbox of "Ada"

  Scenario Outline: A switch lets only the filter of the mailbox count that is being synchronized
    Given the setting "<switch>" is on
    And "Ada" tracks no email messages
    And "Ben" tracks all email messages
    And a mail from "stranger@else.test" to "ada@alder.test, ben@alder.test" reaches "ada@alder.test" with the subject "To both"
    When the engine runs
    Then the mail "To both" was filtered as "no correlation match"

    Examples:
      | switch                                               |
      | UseFilteringMethodOfSyncingMailboxOnlyForCorrelation |
      | SSSForceFilteringMethodForUserMailboxes              |

  Scenario: Somebody in copy counts like somebody addressed
    Given "Ada" tracks all email messages
    And a mail from "carl@birch.test" to "list@else.test" and in copy to "ada@alder.test" reaches "ada@alder.test" with the subject "In copy"
    When the engine runs
    Then the mail "In copy" became an email activity
    And the email "In copy" is cc the user "Ada"

  Scenario: Mail that names nobody in the organization has no recipient
    Given "Ada" tracks email messages from email-enabled records
    And a mail from "carl@birch.test" to "list@else.test" reaches "ada@alder.test" with the subject "List"
    When the engine runs
    Then the mail "List" was filtered as "no recipient match"
    And "Ada" is told "NoRecipientMatch" about the mail "List"

  Scenario: Who tracks everything also gets blind copies and mail of lists
    Given "Ada" tracks all email messages
    And a mail from "carl@birch.test" to "list@else.test" reaches "ada@alder.test" with the subject "List"
    When the engine runs
    Then the mail "List" became an email activity

  Scenario: An address that several records share is nobody's where the organization says so
    Given leaving shared recipients unresolved is on
    And the contact "Ada at home" with the address "ada@alder.test"
    And "Ada" tracks email messages from email-enabled records
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" was filtered as "no recipient match"

  Scenario: The sender is looked at before anything else
    Given "Ada" tracks all email messages
    And a mail without a sender to "ada@alder.test" with the subject "Nobody"
    When the engine runs
    Then the mail "Nobody" was filtered as "invalid sender"
    And "Ada" is told "InvalidSender" about the mail "Nobody"

  Scenario: Whoever accepts nothing is told so
    Given "Ada" tracks no email messages
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then "Ada" is told "NoCorrelationMatch" about the mail "Hello"

  Scenario: "No email messages" can be chosen only where it is offered
    Given the setting "DoNotAutoTrackEmail" is off
    When "Ada" chooses to track no email messages
    Then it is refused because the filter No email messages is not offered
