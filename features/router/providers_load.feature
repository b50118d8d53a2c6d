Feature: The router loads the providers that its file names
  The Email Router reads one XML file and runs a provider for each ProviderConfiguration in it. A provider is named by its own name, by a class name of
  the original's, so that an existing file loads, or by the path of a class. What cannot be used is shown with the reason, and stops no other. A file with
  errors is refused whole, with everything that is wrong in it.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"

  Scenario Outline: The built-in providers have several names
    Given the file has the provider "<name>" for "Ada"
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the router runs
    Then the organization has the emails "Hello"

    Examples:
      | name                                                             |
      | pop3                                                             |
      | Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider   |
      | postroom.providers.builtin.pop3:Pop3Provider                     |

  Scenario: Mail goes out through the original's name too
    Given the file has the provider "Microsoft.Crm.Tools.Email.Providers.SmtpPollingSendEmailProvider" for "Ada"
    And "Ada" wrote 1 emails to "carl@birch.test"
    When the router runs
    Then "carl@birch.test" received in this order of senders "1"

  Scenario Outline: A package that cannot be imported stops no other
    Given the file has the provider "strange_package:Provider" of a package that says "<code>"
    And the file has a feed "news" for "Ada"
    And the feed "news" holds the mail "Hello" to "ada@alder.test"
    When the router runs
    Then the instance "strange_package:Provider" is broken
    And the instance "news" is waiting
    And the organization has the emails "Hello"

    Examples:
      | code                       |
      | raise ValueError('no')     |
      | import sys; sys.exit(2)    |
      | raise KeyboardInterrupt    |
      | import a_thing_that_is_not |
      | this is no Python          |

  Scenario: A constructor that raises breaks its instance alone
    Given the file has a feed "news" for "Ada"
    And another routed user "Ben" with the address "ben@alder.test"
    And the file has a feed "more" for "Ben"
    And the constructor of the feed "news" raises
    And the feed "more" holds the mail "Hello" to "ben@alder.test"
    When the router runs
    Then the instance "news" is broken because "its constructor raised RuntimeError"
    And the organization has the emails "Hello"

  Scenario: A file with errors is refused whole, with everything that is wrong
    Given the file has a feed "news" for "Ada" with PollingPeriod=soon
    And the file's "MaxThreads" is "many"
    When the file is read at the start
    Then it is refused, and told are "MaxThreads" and "PollingPeriod"

  Scenario: An entry for an organization that is not there is broken
    Given the file has a feed "news" for "Ada" with CrmServerUrl=https://crm.test/other
    When the router runs
    Then the instance "news" is broken because "CrmServerUrl names no organization"
