Feature: Which credentials are used
  A profile says where user name and password come from: the mailbox, if it allows that, or the profile itself. Passwords go in and never come out, and are
  not taken over plain HTTP.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive

  Scenario: A mailbox that does not lend its credentials
    Given the mailbox of "Ada" has the allowemailconnectortousecredentials "off"
    When a test of the mailbox of "Ada" is asked for
    Then the test of the mailbox of "Ada" failed for incoming email

  Scenario: Refused credentials of the profile are the profile's trouble
    Given the profile "Alder mail" has the credentials of "Ada"
    When the engine runs
    Then there is an open error alert "IncomingEmailAuthenticationError" for "Alder mail"
    And the mailbox of "Ada" is not enabled for incoming email

  Scenario: A new password works without a new test of every mailbox, another server is read from the beginning
    Given a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    And "Ada" tracks all email messages
    And the engine ran
    When the profile "Alder mail" has the description "the same server"
    And the engine runs again after 20 minutes
    Then there is 1 email activity with the subject "Hello"

  Scenario Outline: Typed over plain HTTP
    Given the deployment's "AllowCredentialsEntryViaNonSecureChannels" is "<setting>"
    When somebody types a password for the mailbox of "Ada" over plain HTTP
    Then <outcome>

    Examples:
      | setting | outcome                                                              |
      | off     | it is refused because credentials are not taken over a channel       |
      | on      | it is saved                                                          |
