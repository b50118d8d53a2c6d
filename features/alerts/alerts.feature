Feature: Alerts
  What goes wrong is written as an alert on the mailbox or the profile it concerns. The organization chooses the levels; equal alerts are counted on one row;
  an alert is closed when the trouble has ended. A profile's trouble is told to its owner, and to the owners of its mailboxes where the organization wants that.

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the server answers every "PASS" with "-ERR [SYS/TEMP] later"

  Scenario Outline: Warnings are written where they are wanted
    Given the organization's "GenerateAlertsForWarnings" is "<setting>"
    When the engine runs again after 15 minutes
    Then <outcome>

    Examples:
      | setting | outcome                                              |
      | on      | there is an open warning alert "ServerBusy" for "Ada" |
      | off     | there is no alert "ServerBusy" for "Ada"             |

  Scenario Outline: Errors, likewise
    Given the organization's "GenerateAlertsForErrors" is "<setting>"
    When the engine runs 11 times, every 15 minutes
    Then <outcome>

    Examples:
      | setting | outcome                                             |
      | on      | there is an open error alert "ServerBusy" for "Ada" |
      | off     | there is no alert "ServerBusy" for "Ada"            |

  Scenario Outline: Information, likewise
    Given the server is well again
    And the organization's "GenerateAlertsForInformation" is "<setting>"
    And the user "Ben" with the address "ben@alder.test", approved but not tested
    And the mailbox of "Ben" has the outgoingemaildeliverymethod "0"
    When the mailbox of "Ben" is tested and enabled
    Then <outcome>

    Examples:
      | setting | outcome                                                     |
      | on      | there is an information alert "TestSucceeded" for "Ben"     |
      | off     | there is no alert "TestSucceeded" for "Ben"                 |

  Scenario: Equal alerts are one row, counted
    Given the organization's "GenerateAlertsForWarnings" is "on"
    When the engine runs 3 times, every 15 minutes
    Then the alert "ServerBusy" for "Ada" happened 3 times

  Scenario: Trouble that comes back opens its alert again
    Given the organization's "GenerateAlertsForWarnings" is "on"
    When the engine runs again after 15 minutes
    And the server is well again
    And the engine runs again after 15 minutes
    Then there is a closed warning alert "ServerBusy" for "Ada"
    Given the server answers every "PASS" with "-ERR [SYS/TEMP] later"
    When the engine runs again after 15 minutes
    Then there is an open warning alert "ServerBusy" for "Ada"

  Scenario Outline: A profile's trouble and the owners of its mailboxes
    Given the organization's "NotifyMailboxOwnerOfEmailServerLevelAlerts" is "<setting>"
    And the server is well again
    And the profile "Alder mail" has the credentials of "Ada"
    When the engine runs again after 15 minutes
    Then there is an open error alert "IncomingEmailAuthenticationError" for "Alder mail"
    And <outcome>

    Examples:
      | setting | outcome                                                                   |
      | on      | there is an open error alert "IncomingEmailAuthenticationError" for "Ada" |
      | off     | there is no alert "IncomingEmailAuthenticationError" for "Ada"            |
