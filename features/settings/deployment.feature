Feature: Settings of a deployment, both ways
  A deployment holds organizations side by side; what it allows and how patient it is holds for all of them. Numbers have no published defaults: those used
  here are suggestions, and each is a setting.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And the engine ran

  Scenario Outline: What a profile may do
    Given the deployment's "AllowNonSSLEmail" is "<others>"
    And the deployment's "<setting>" is "<position>"
    When a profile is saved for <what>
    Then <outcome>

    Examples:
      | others | setting                                    | position | what                             | outcome                                                              |
      | on     | AllowNonSSLEmail                           | on       | POP3 without TLS                 | it is saved                                                          |
      | on     | AllowNonSSLEmail                           | off      | POP3 without TLS                 | it is refused because AllowNonSSLEmail                               |
      | on     | AllowBasicAuthenticationOnNonSecureChannel | on       | POP3 with passwords in the clear | it is saved                                                          |
      | on     | AllowBasicAuthenticationOnNonSecureChannel | off      | POP3 with passwords in the clear | it is refused because AllowBasicAuthenticationOnNonSecureChannel     |
      | off    | AllowADBasedAuthenticationProtocols        | on       | POP3 with NTLM                   | it is saved                                                          |
      | off    | AllowADBasedAuthenticationProtocols        | off      | POP3 with NTLM                   | it is refused because AllowADBasedAuthenticationProtocols            |
      | off    | allow_anonymous_smtp                       | on       | SMTP without credentials         | it is saved                                                          |
      | off    | allow_anonymous_smtp                       | off      | SMTP without credentials         | it is refused because email is not sent without credentials          |

  Scenario Outline: How many transient failures are borne
    Given the deployment's "MaxMailboxTransientFailures" is "<limit>"
    And the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    When the engine runs 3 times, every 15 minutes
    Then the mailbox of "Ada" is <enabled> for incoming email

    Examples:
      | limit | enabled     |
      | 2     | not enabled |
      | 3     | enabled     |

  Scenario Outline: How long a mailbox waits after a failure
    Given the deployment's "<setting>" is "<seconds>"
    And <trouble>
    When the engine runs again after 15 minutes
    Then incoming email of "Ada" waits <waits> seconds after the failure

    Examples:
      | setting                        | seconds | trouble                                                      | waits |
      | MailboxBackoffOnTransientError | 60      | the server answers every "PASS" with "-ERR [SYS/TEMP] later" | 60    |
      | MailboxBackoffOnTransientError | 60      | the server answers nothing to every "PASS"                   | 300   |
      | MailboxBackoffOnTimeout        | 90      | the server answers nothing to every "PASS"                   | 90    |
      | MailboxBackoffOnTimeout        | 90      | the server answers every "PASS" with "-ERR [SYS/TEMP] later" | 300   |

  Scenario Outline: Within which windows a mailbox is polled
    Given the deployment's "<setting>" is "<seconds>"
    And <mail> mails from "carl@birch.test" to "ada@alder.test"
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" is polled again after <polled> seconds

    Examples:
      | setting                     | seconds | mail | polled |
      | ActiveMailboxMaximumBackoff | 240     | 1    | 240    |
      | ActiveMailboxMaximumBackoff | 600     | 1    | 300    |
      | IdleMailboxMaximumBackoff   | 310     | 0    | 310    |
      | IdleMailboxMinimumBackoff   | 500     | 0    | 500    |

  Scenario Outline: How many messages a cycle takes
    Given the deployment's "IncomingMaximumEmailsPerCycle" is "<limit>"
    And 3 mails from "carl@birch.test" to "ada@alder.test"
    When the engine runs again after 15 minutes
    Then the mailbox of "Ada" says "itemsprocessedforlastsync" is "<last>"
    And the mail "Number 3" became an email activity

    Examples:
      | limit | last |
      | 100   | 3    |
      | 2     | 1    |

  Scenario: A window that begins after its end
    When the deployment's "ActiveMailboxMinimumBackoff" is "400"
    Then it is refused because active_mailbox_minimum_backoff is larger than active_mailbox_maximum_backoff
