Feature: Settings of an organization, both ways
  Each organization has its own settings. Here each of those that decide about mailboxes is shown in both positions; those about incoming and outgoing mail
  are shown with what they change, in the features of that mail. Settings that do not fit together are refused, all problems at once.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the queue "Support" with the address "support@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the engine ran

  Scenario Outline: Which channel the organization uses
    Given the organization's "EmailConnectionChannel" is "<channel>"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs again after 15 minutes
    Then <outcome>

    Examples:
      | channel | outcome                                                                                              |
      | 0       | the mail "Hello" became an email activity                                                            |
      | 1       | the mailbox of "Ada" is skipped for incoming email because "the organization uses the email router"  |

  Scenario Outline: Whether addresses have to be approved
    Given the organization's "<setting>" is "<position>"
    When somebody with the privilege rejects the address of "<name>"
    Then the mailbox of "<name>" is <enabled> for incoming email

    Examples:
      | setting                      | position | name    | enabled     |
      | RequireApprovalForUserEmail  | on       | Ada     | not enabled |
      | RequireApprovalForUserEmail  | off      | Ada     | enabled     |
      | RequireApprovalForQueueEmail | on       | Support | not enabled |
      | RequireApprovalForQueueEmail | off      | Support | enabled     |

  Scenario: Approval that is required from now on switches off who lacks it
    Given the organization's "RequireApprovalForUserEmail" is "off"
    And the address of "Ada" is rejected
    When the organization's "RequireApprovalForUserEmail" is "on"
    Then the mailbox of "Ada" is not enabled for incoming email
    And there is an open error alert "AddressNotApproved" for "Ada"

  Scenario Outline: What a new queue's mailbox starts with
    Given the organization's "DefaultEmailSettings" is "<settings>"
    When the queue "Orders" is created with the address "orders@alder.test" and nothing else
    Then the mailbox of "Orders" says "incomingemaildeliverymethod" is "<incoming>"
    And the mailbox of "Orders" has <profile>

    Examples:
      | settings                                                                   | incoming | profile                  |
      | <EmailSettings><queue incoming='2' outgoing='2'/></EmailSettings>          | 2        | the profile "Alder mail" |
      | <EmailSettings><systemuser incoming='2' outgoing='2'/></EmailSettings>     | 0        | no profile               |

  Scenario Outline: How a mailbox without mail is left alone
    Given the organization's "IsMailboxInactiveBackoffEnabled" is "<position>"
    When the engine runs again after 15 minutes
    And the engine runs again after 15 minutes
    Then the mailbox of "Support" is polled again after <seconds> seconds

    Examples:
      | position | seconds |
      | on       | 720     |
      | off      | 420     |

  Scenario Outline: An address that somebody resolves, where else it stands
    Given the organization's "ResolveSimilarUnresolvedEmailAddress" is "<position>"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "One"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Two"
    When the engine runs again after 15 minutes
    And somebody says that the sender of "One" is the new contact "Carl"
    Then <outcome>

    Examples:
      | position | outcome                                                         |
      | on       | the sender of "Two" is the contact "Carl"                       |
      | off      | the email "Two" has the unresolved sender "carl@birch.test"     |

  Scenario: All that does not fit is said at once
    When the organization's settings become "trackingtokenidbase=1000; trackingtokeniddigits=2; hashfilterkeywords=("
    Then it is refused because trackingtokenidbase
    And it is refused because hashfilterkeywords
